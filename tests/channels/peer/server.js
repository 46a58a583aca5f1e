// An SMSC on npm's `smpp`, which shares no line with ours: what it reads is what others would read.
//
// Options come as JSON in the first argument.  Each line on standard input is a question, and is
// answered by one line of JSON: "seen" (texts as the library decoded them), "counts", "cut".

'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const options = Object.assign({status: 0, isSilent: false, receipts: true, form: 'both', systemId: null}, JSON.parse(process.argv[2]));
const tls = options.tls ? {key: fs.readFileSync(options.tls.key), cert: fs.readFileSync(options.tls.cert)} : {};

const seen = [];
const counts = {binds: [], submits: 0, receipts: 0, acknowledged: 0};
const sessions = new Set();
let lastId = 1000;

const server = smpp.createServer(tls, session => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
  session.on('error', () => session.destroy());
  for (const command of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(command, pdu => {
      if (options.systemId !== null && pdu.system_id !== options.systemId) {
        session.send(pdu.response({command_status: smpp.ESME_RINVSYSID}));
        session.close();
        return;
      }
      session.canReceive = command !== 'bind_transmitter';
      counts.binds.push(command);
      session.send(pdu.response({system_id: 'npm'}));
    });
  }
  session.on('enquire_link', pdu => session.send(pdu.response()));
  session.on('unbind', pdu => {
    session.send(pdu.response());
    session.close();
  });
  session.on('submit_sm', pdu => take(session, pdu));
});

function take(session, pdu) {
  counts.submits += 1;
  if (options.status) {
    session.send(pdu.response({command_status: options.status}));
    return;
  }
  if (options.isSilent) {
    return;
  }
  lastId += 1;
  const id = String(lastId);
  seen.push(describe(pdu, id));
  session.send(pdu.response({message_id: id}));
  if (options.receipts && (pdu.registered_delivery & 1)) {
    sendReceipt(session, pdu, id);
  }
}

function describe(pdu, id) {
  const found = {
    id,
    source: pdu.source_addr,
    destination: pdu.destination_addr,
    text: pdu.short_message.message,
    data_coding: pdu.data_coding,
    reference: 0,
    part: 1,
    parts: 1,
  };
  for (const element of pdu.short_message.udh || []) {
    if (element[0] === 0) {
      [found.reference, found.parts, found.part] = element.slice(2);
    }
  }
  if (pdu.sar_total_segments !== undefined) {
    found.reference = pdu.sar_msg_ref_num;
    found.parts = pdu.sar_total_segments;
    found.part = pdu.sar_segment_seqnum;
  }
  if (pdu.message_payload !== undefined) {
    found.text = pdu.message_payload.message;
  }
  return found;
}

function sendReceipt(origin, pdu, id) {
  const receiver = origin.canReceive ? origin : [...sessions].find(session => session.canReceive);
  if (receiver === undefined) {
    return;
  }
  const receipt = {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    data_coding: 0,
    short_message: '',
  };
  if (options.form !== 'tlv') {
    receipt.short_message =
      `id:${id} sub:001 dlvrd:001 submit date:2501010000 done date:2501010001 stat:DELIVRD err:000 text:`;
  }
  if (options.form !== 'text') {
    receipt.receipted_message_id = id;
    receipt.message_state = smpp.MESSAGE_STATE.DELIVERED;
  }
  counts.receipts += 1;
  receiver.deliver_sm(receipt, () => {
    counts.acknowledged += 1;
  });
}

const say = value => process.stdout.write(`${JSON.stringify(value)}\n`);

readline.createInterface({input: process.stdin}).on('line', question => {
  if (question === 'seen') {
    say(seen);
  } else if (question === 'counts') {
    say(counts);
  } else if (question === 'cut') {
    sessions.forEach(session => session.destroy());
    say(true);
  }
}).on('close', () => process.exit(0));

server.listen(0, '127.0.0.1', () => say({port: server.address().port}));

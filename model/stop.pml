/*
 * The stop of DESIGN.md 4.2 and 4.3: senders that claim, look at the gate, write, record, freeze and
 * die; a client that pauses and stops a dispatch; whoever then finishes the halt.  docs/model.md
 * explains it, step by step, with the names of the code.
 *
 * What the program does in one transaction, or without an await, is one step here; between two steps
 * anything may happen, or nothing for as long as it pleases.  So a process that is frozen, slow or
 * cut off is one that takes no step for a while, and whatever travels arrives late or never.
 *
 * Sets of messages are bits: message m is bit m.
 *
 * Macros: SENDERS, MESSAGES (1 to 3); PAUSE: a pause and a resumption before the stop; REFUSE, THROTTLE,
 * PARTIAL: a carrier that refuses, or refuses for now, and a kernel that takes only a part of what it
 * is given; LIVENESS: every task is a process of its own, for P5, that a stop ends.
 * Each M_... takes one rule out of the protocol: the checker must then find an error.  PROMISES are
 * those that are looked at; WITNESS is something that a receipt must be able to say.
 */

#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef SENDERS
#define SENDERS 2
#endif
#define ALL ((1 << MESSAGES) - 1)
#define LOWEST(set) ((set) & -(set))

/* Where a dispatch stands. */
#define SENDING 0
#define PAUSED 1
#define CHANGING 2
#define STOPPED 3

/* A lease, by the database's clock. */
#define RUNS 0
#define OVER 1
#define ENDED 2

/* A renewal on its way. */
#define NONE 0
#define SENT 1
#define COMMITTED 2
#define REFUSED 3

/* The database: tables dispatch and slice, and the facts. */
unsigned status : 2 = SENDING;
unsigned changing_to : 2;
unsigned halts : 2;
unsigned slices : MESSAGES = ALL;
unsigned accepted : MESSAGES;
unsigned refused : MESSAGES;
unsigned in_doubt : MESSAGES;
#define FACTS (accepted | refused | in_doubt)

/* The row of the dispatch is locked by a transaction that finishes a halt; whether it has fenced off already. */
bit locked;
bit has_fenced;
/* Whether a statement that finishes a halt has found no claim, and in which halt. */
bit has_looked;
byte seen_halts;

/* The carriers: what was handed to a socket, and not refused for now. */
unsigned wrote : MESSAGES;

/* Senders are alike: the first to claim is called 0. */
bit begun;

typedef Sender {
    /* In the database. */
    unsigned claimed : MESSAGES;/* what its claim holds; some of it may be recorded before the claim ends */
    unsigned lease : 2;
    bit fencing;                /* its row is locked by a transaction that ends its lease */

    /* In the process. */
    bit dead;
    bit frozen;
    bit gate;                   /* Lease.is_open */
    unsigned renewal : 2;
    bit fresh;                  /* the renewal was sent less than lease - margin ago, by its own clock */
    unsigned known : 2;         /* Outbox._halts */
    unsigned held : 2;          /* Held.halts */
    bit unheard;                /* a claim is committed, its answer on the way */
    bit unsure;                 /* its answer is lost */
    unsigned waiting : MESSAGES;
    unsigned unsent : MESSAGES; /* Wire._unsent */
    unsigned written : MESSAGES;
    unsigned said_accepted : MESSAGES;
    unsigned said_refused : MESSAGES;
    unsigned said_lost : MESSAGES;
    unsigned returned : MESSAGES;
    bit looked;                 /* only with M_LOOK_EARLY */
};
Sender sender[2];

#define I sender[s]
#define SAID (I.said_accepted | I.said_refused | I.said_lost)
#define IS_RESOLVED (!(I.waiting | I.unsent | I.written))
#define GIVES_BACK (I.returned && IS_RESOLVED)
#define IS_IDLE (!I.claimed && !I.unheard && !I.unsure && IS_RESOLVED && !SAID && !I.returned)
#define RUNNING (!I.dead && !I.frozen)

/* ---- What must hold ---- */

#ifndef PROMISES
#define PROMISES (P1 | P2 | ONCE)
#endif
#define P1 1
#define P2 2
#define ONCE 4

/*
 * P1: nothing is written once a halt has taken effect, which is before its call is answered; and nothing but
 * under a claim of one's own.  ONCE: nothing is written twice.
 */
inline check_write(m) {
    assert(!((PROMISES) & P1) || status == SENDING || status == CHANGING);
    assert(!((PROMISES) & P1) || ((I.claimed & m) && !(FACTS & m)));
    assert(!((PROMISES) & ONCE) || !(wrote & m))
}

/* P2: the receipt divides the total, and says of each message what became of it. */
inline check_receipt() {
    assert(!((PROMISES) & P2) || !((accepted & refused) | (accepted & in_doubt) | (refused & in_doubt)));
    assert(!((PROMISES) & P2) || !((accepted | refused) & ~wrote & ALL));
    assert(!((PROMISES) & P2) || !(wrote & ~FACTS & ALL));
    assert(!((PROMISES) & P2) || slices == (ALL & ~FACTS));
#ifdef WITNESS
    assert(!(WITNESS))  /* there is a run that comes here with this */
#endif
}

/* P2: what it has said never changes. */
inline check_record() {
    assert(!((PROMISES) & P2) || !SAID || status == SENDING || status == CHANGING)
}

/* ---- Claimer ---- */

#if defined(M_CLAIM_CHANGING)
#define CLAIMABLE ((status == SENDING || status == CHANGING) && !locked)
#elif defined(M_CLAIM_UNLOCKED)
/* It looked while the dispatch was sending, and does not mind who has locked it since. */
#define CLAIMABLE (status == SENDING || status == CHANGING)
#else
#define CLAIMABLE (status == SENDING && !locked)
#endif

/*
 * Claimer.claim: pick_dispatches, take_runs, advance_dispatches; a locked dispatch is skipped.  The sender asks
 * while its gate is open, and the answer may come when that is long past.
 */
inline claim(run_) {
    d_step { RUNNING && CLAIMABLE && run_ && IS_IDLE && (begun || s == 0) ->
        begun = 1; I.claimed = run_; slices = slices & ~I.claimed; I.held = halts; I.unheard = 1 }
}

/* Outbox.add: a claim from before a halt that was heard of goes back at once. */
inline add() {
    d_step { RUNNING && I.unheard ->
        I.unheard = 0;
        if :: I.known > I.held -> I.returned = I.claimed :: else -> I.waiting = I.claimed fi }
}

inline lose_claim() {
    d_step { RUNNING && I.unheard -> I.unheard = 0; I.unsure = 1 }
}

/* Claimer.return_unknown */
inline return_unknown() {
    d_step { RUNNING && I.unsure && !locked -> I.unsure = 0; slices = slices | I.claimed; I.claimed = 0; I.held = 0 }
}

/* ---- Links ---- */

#ifdef M_NO_GATE
#define OPEN true
#else
#define OPEN I.gate
#endif
#ifdef M_BUFFER
#define STILL_OPEN true
#else
#define STILL_OPEN OPEN
#endif

/* SmppLink.submit, Wire.write: the look at the gate and the write are one step. */
inline submit() {
#ifdef M_LOOK_EARLY
    d_step { RUNNING && I.waiting && I.looked ->
        I.looked = 0;
#else
    d_step { RUNNING && I.waiting && OPEN ->
#endif
        check_write(LOWEST(I.waiting));
        wrote = wrote | LOWEST(I.waiting);
        I.written = I.written | LOWEST(I.waiting);
        I.waiting = I.waiting & ~LOWEST(I.waiting) }
}

/* The kernel takes nothing of it now; for the session it is outstanding. */
inline submit_in_part() {
    d_step { RUNNING && I.waiting && OPEN ->
        I.unsent = I.unsent | LOWEST(I.waiting);
        I.waiting = I.waiting & ~LOWEST(I.waiting) }
}

/* Wire._write_on: it looks again. */
inline write_on() {
    d_step { RUNNING && I.unsent && STILL_OPEN ->
        check_write(LOWEST(I.unsent));
        wrote = wrote | LOWEST(I.unsent);
        I.written = I.written | LOWEST(I.unsent);
        I.unsent = I.unsent & ~LOWEST(I.unsent) }
}

/* Sender.on_outcomes: the carrier accepts. */
inline accept() {
    d_step { RUNNING && I.written ->
        I.said_accepted = I.said_accepted | LOWEST(I.written);
        I.written = I.written & ~LOWEST(I.written) }
}

inline refuse() {
    d_step { RUNNING && I.written ->
        I.said_refused = I.said_refused | LOWEST(I.written);
        I.written = I.written & ~LOWEST(I.written) }
}

/* Outbox.put_back: the carrier refuses for now. */
inline throttle() {
    d_step { RUNNING && I.written ->
        wrote = wrote & ~LOWEST(I.written);
        if
        :: I.known > I.held -> I.returned = I.returned | LOWEST(I.written)
        :: else -> I.waiting = I.waiting | LOWEST(I.written)
        fi;
        I.written = I.written & ~LOWEST(I.written) }
}

/* Lost: the connection breaks (GateShut among the reasons), or no answer comes in time. */
inline lose() {
    d_step { RUNNING && (I.written || I.unsent) ->
        I.said_lost = I.said_lost | I.written | I.unsent;
        I.written = 0; I.unsent = 0 }
}

inline give_back_waiting() {
    I.returned = I.returned | I.waiting; I.waiting = 0; I.looked = 0
}

/* Outbox.return_older */
inline return_older() {
    d_step { RUNNING && I.waiting -> give_back_waiting() }
}

/* Sender._hear, Outbox.halt: "halted n" comes, early, late, again or never. */
inline hear(n) {
    d_step { RUNNING && halts >= n && I.known < n ->
        I.known = n;
        if :: n > I.held -> give_back_waiting() :: else fi }
}

/* ---- Recorder ---- */

inline forget() {
    I.gate = 0; I.renewal = NONE; I.fresh = 0; I.known = 0; I.held = 0; I.unheard = 0; I.unsure = 0; I.looked = 0;
    I.waiting = 0; I.unsent = 0; I.written = 0; I.said_accepted = 0; I.said_refused = 0; I.said_lost = 0;
    I.returned = 0; I.frozen = 0; I.dead = 1
}

#ifdef M_RECORD_ANYWAY
#define IS_TAKEN_OVER false
#else
#define IS_TAKEN_OVER (!I.claimed)
#endif

/*
 * Recorder._write: record_outcomes, which locks the claim, writes submissions and tallies, gives back, ends the
 * claim.  When the claim was taken over: LeaseLost.
 */
inline transact() {
    d_step { RUNNING && (SAID || GIVES_BACK) && !(locked && GIVES_BACK) ->
        if
        :: IS_TAKEN_OVER -> forget()
        :: else ->
            check_record();
            accepted = accepted | I.said_accepted; I.said_accepted = 0;
            refused = refused | I.said_refused; I.said_refused = 0;
            in_doubt = in_doubt | I.said_lost; I.said_lost = 0;
            if
            :: IS_RESOLVED -> slices = slices | I.returned; I.returned = 0; I.claimed = 0; I.held = 0
            :: else
            fi
        fi }
}

/* ---- Lease ---- */

/* Lease._renew: the clock is read, then the renewal is sent. */
inline renew() {
    d_step { RUNNING && I.renewal == NONE -> I.renewal = SENT; I.fresh = 1 }
}

/* renew_lease, whenever it comes to the database; its row may be locked. */
inline renew_lease() {
    d_step { I.renewal == SENT && !I.fencing ->
        if
#ifndef M_RENEW_ENDED
        :: I.lease == ENDED -> I.renewal = REFUSED; I.fresh = 0
#endif
        :: else -> I.lease = RUNS; I.renewal = COMMITTED
        fi }
}

/* find_halted, then Lease._note: the gate opens if the renewal is not too old by one's own clock. */
inline note() {
    d_step { RUNNING && I.renewal == COMMITTED ->
        I.renewal = NONE;
        if
        :: I.claimed && status != SENDING && I.known < halts ->
            I.known = halts;
            if :: halts > I.held -> give_back_waiting() :: else fi
        :: else
        fi;
#ifdef M_STALE_ANSWER
        I.gate = 1;
#else
        if :: I.fresh -> I.gate = 1 :: else fi;
#endif
        I.fresh = 0 }
}

/* LeaseLost */
inline be_refused() {
    d_step { RUNNING && I.renewal == REFUSED -> forget() }
}

/* The renewal or its answer is lost. */
inline lose_renewal() {
    d_step { RUNNING && (I.renewal == SENT || I.renewal == COMMITTED) -> I.renewal = NONE; I.fresh = 0 }
}

/* ---- Time, and fate ---- */

inline gate_shuts() {
    d_step { I.gate -> I.gate = 0 }
}

inline renewal_ages() {
    d_step { I.fresh -> I.fresh = 0 }
}

/* The sender's own time is over before the lease is: lease.pml shows why. */
#ifdef M_NO_MARGIN
#define MAY_RUN_OUT true
#else
#define MAY_RUN_OUT (!I.gate && !(I.fresh && I.renewal == COMMITTED))
#endif
inline lease_runs_out() {
    d_step { I.lease == RUNS && MAY_RUN_OUT -> I.lease = OVER }
}

inline kill() {
    d_step { !I.dead -> forget() }
}

inline freeze() {
    d_step { RUNNING -> I.frozen = 1 }
}

inline wake() {
    d_step { I.frozen -> I.frozen = 0 }
}

/* ---- Halts ---- */

/* doubt_claims */
inline doubt() {
#ifdef M_FORGET_DOUBT
    slices = slices | (I.claimed & ~FACTS);
#else
    in_doubt = in_doubt | (I.claimed & ~FACTS);
#endif
    I.claimed = 0
}

/* Who holds a claim and may still write. */
#ifdef M_NO_WAIT
#define LIVES(k) false
#else
#define LIVES(k) (sender[k].claimed && sender[k].lease == RUNS)
#endif

/* That a stop ends needs what the database does anyway: who waits for a locked row gets it before who asks later. */
#ifdef LIVENESS
#define WAITS(k) (!sender[k].dead && !sender[k].frozen && (sender[k].unsure || (sender[k].returned && \
    !(sender[k].waiting | sender[k].unsent | sender[k].written))))
#define IS_FREE (!locked && !WAITS(0) && !WAITS(1))
#else
#define IS_FREE (!locked)
#endif

#define IS_HELD (sender[0].claimed || sender[1].claimed)

#ifdef M_ANY_HALT
#define IS_SAME_HALT (status == CHANGING)
#else
#define IS_SAME_HALT (status == CHANGING && halts == seen_halts)
#endif

/* Stops._try_to_finish: finish_halt, one statement, which reads all that it reads at one moment ... */
inline look() {
    d_step { status == CHANGING && !IS_HELD && !has_looked -> has_looked = 1; seen_halts = halts }
}

/*
 * ... and locks the dispatch at a later one, if it still is in the same halt.  After it, and not before, comes the 200.
 * *another*: one more process has looked at the same moment, and its statement is still to come.
 */
inline finish_at_once(another) {
    d_step { has_looked && IS_FREE ->
        has_looked = another;
        if
        :: IS_SAME_HALT ->
            status = changing_to; changing_to = 0;
            if :: status == STOPPED -> check_receipt() :: else fi
        :: else
        fi;
        if :: !has_looked -> seen_halts = 0 :: else fi }
}

/* Stops._finish_for_dead, first part: lock_halting, find_claimants; nobody lives who holds a claim. */
inline find_claimants() {
    d_step { status == CHANGING && IS_FREE && IS_HELD && !LIVES(0) && !LIVES(1) -> locked = 1 }
}

/* Second part: fence_off.  Who has renewed meanwhile is not fenced off, and all is rolled back. */
inline fence_off() {
    d_step { locked && !has_fenced ->
        if
        :: LIVES(0) || LIVES(1) -> locked = 0
        :: else ->
            has_fenced = 1;
            sender[0].fencing = (sender[0].claimed && sender[0].lease == OVER);
            sender[1].fencing = (sender[1].claimed && sender[1].lease == OVER)
        fi }
}

inline end_fencing(k) {
    s = k;
    if :: I.fencing -> I.fencing = 0; I.lease = ENDED :: else fi;
#ifdef M_NO_WAIT
    I.claimed = 0
#else
    if :: I.lease == ENDED -> doubt() :: else fi
#endif
}

/* Third part: doubt, finish_halt, and the commit; then comes the 200. */
inline finish() {
    d_step { has_fenced ->
        end_fencing(0); end_fencing(1); s = 0;
        locked = 0; has_fenced = 0;
        status = changing_to; changing_to = 0;
        if :: status == STOPPED -> check_receipt() :: else fi }
}

/* Whoever did it dies, or its connection breaks. */
inline roll_back() {
    d_step { locked -> locked = 0; has_fenced = 0; sender[0].fencing = 0; sender[1].fencing = 0 }
}

/* Stops.bury_dead: fence_off, then doubt. */
inline bury_lease(k) {
    d_step { sender[k].lease == OVER && !sender[k].fencing -> sender[k].lease = ENDED }
}

inline bury_claims(k) {
    d_step { sender[k].lease == ENDED && sender[k].claimed && !locked ->
        s = k;
#ifdef M_RESEND
        slices = slices | (I.claimed & ~FACTS); I.claimed = 0;
#else
        doubt();
#endif
        s = 0 }
}

/* ---- Who does what ---- */

#ifdef LIVENESS
proctype Claims(byte s) {
end:
    do
    :: claim(LOWEST(slices))
    :: add()
    :: lose_claim()
#ifndef M_NO_RETURN_UNKNOWN
    :: return_unknown()
#endif
    od
}

proctype Link(byte s) {
end:
    do
    :: submit()
    :: accept()
    :: lose()
    :: return_older()
    od
}

proctype Recorder(byte s) {
end:
    do
    :: transact()
    od
}

proctype Keep(byte s) {
end:
    do
    :: renew()
    :: renew_lease()
    :: note()
    :: be_refused()
    :: lose_renewal()
    od
}

proctype Clock(byte s) {
end:
    do
    :: gate_shuts()
    :: renewal_ages()
    :: lease_runs_out()
    od
}

/* Frozen for ever, or woken, or killed, or nothing of it. */
proctype Fate(byte s) {
    if
    :: freeze();
        if
        :: wake()
        :: skip
        fi
    :: skip
    fi;
    if
    :: kill()
    :: skip
    fi
}
#else
proctype Process(byte s) {
end:
    do
    :: claim(LOWEST(slices))
#if MESSAGES > 1
    :: claim(slices)
#endif
    :: add()
    :: lose_claim()
    :: return_unknown()
#ifdef M_LOOK_EARLY
    :: d_step { RUNNING && I.waiting && OPEN && !I.looked -> I.looked = 1 }
#endif
    :: submit()
#ifdef PARTIAL
    :: submit_in_part()
    :: write_on()
#endif
    :: accept()
#ifdef REFUSE
    :: refuse()
#endif
#ifdef THROTTLE
    :: throttle()
#endif
    :: lose()
    :: return_older()
    :: hear(1)
#ifdef PAUSE
    :: hear(2)
#endif
    :: transact()
    :: renew()
    :: renew_lease()
    :: note()
    :: be_refused()
    :: lose_renewal()
    :: gate_shuts()
    :: renewal_ages()
    :: lease_runs_out()
    :: kill()
    od
}
#endif

/* The client, and the processes that take its calls.  A stop overrides a pause under way (begin_halt). */
proctype Client() {
#ifdef M_NO_SWEEPER
    byte s;
#endif
#ifdef PAUSE
    if
    :: d_step { status == SENDING && !locked -> status = CHANGING; changing_to = PAUSED; halts++ }
        if
        :: d_step { status == PAUSED && !locked -> status = SENDING }  /* Dispatches.resume */
        :: skip
        fi
    :: skip
    fi;
#endif
    /* Stops._begin */
    d_step { !locked -> status = CHANGING; changing_to = STOPPED; halts++ }
#ifdef M_NO_SWEEPER
    /* Only the call itself goes on with it, and it may die. */
end:
    do
    :: look()
    :: finish_at_once(0)
    :: find_claimants()
    :: fence_off()
    :: finish()
    :: break
    od
#endif
}

/* The call that began the halt, one that joins it, or the sweeper of any node: the lock lets one at a time. */
proctype Finisher() {
    byte s;
end:
    do
#ifndef M_NO_SWEEPER
    :: look()
    :: finish_at_once(0)
#ifndef LIVENESS
    :: finish_at_once(1)
#endif
    :: find_claimants()
    :: fence_off()
    :: finish()
#ifndef LIVENESS
    :: roll_back()
#endif
#endif
    :: bury_lease(0)
    :: bury_lease(1)
    :: bury_claims(0)
    :: bury_claims(1)
    od
}

init {
    atomic {
        sender[0].gate = 1;  /* Lease.begin */
        sender[1].gate = 1;
#ifdef LIVENESS
        run Claims(0); run Link(0); run Recorder(0); run Keep(0); run Clock(0); run Fate(0);
#if SENDERS > 1
        run Claims(1); run Link(1); run Recorder(1); run Keep(1); run Clock(1); run Fate(1);
#endif
#else
        run Process(0);
        run Process(1);
#endif
        run Finisher();
        run Client()
    }
}

#ifdef LIVENESS
/* P5: a stop that has begun ends. */
ltl ends { [] ((status == CHANGING) -> <> (status != CHANGING)) }
#endif

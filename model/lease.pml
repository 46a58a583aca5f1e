/*
 * Why the gate shuts before the lease is over: what stop.pml takes as given (MAY_RUN_OUT), with clocks.
 *
 * One sender renews its lease; renewals and their answers travel for as long as they please, are lost,
 * or come when the sender has long given up waiting.  Time goes in ticks of the database's clock, of
 * which a lease has LEASE.  The sender counts by a clock of its own, which may miss a tick: at most
 * DRIFT of any LEASE.  It shuts its gate LEASE - MARGIN of its own ticks after it read its clock, which
 * it did before the renewal was sent.
 *
 * Each M_... takes one rule away: the checker must then find the gate open after the lease.
 */

#define LEASE 8
#define DRIFT 1
#ifdef M_NO_MARGIN
#define MARGIN 0
#else
#define MARGIN 1
#endif

#define NONE 0
#define SENT 1
#define COMMITTED 2

byte lease = LEASE;           /* lease_until - clock_timestamp(), 0: over */
byte gate = LEASE - MARGIN;   /* _shuts_at - clock(), 0: shut */
byte renewal = NONE;
byte age;                     /* own ticks since the renewal was sent */
bool orphan;                  /* a renewal that the sender has given up is still on its way */
byte since_miss = LEASE;      /* ticks since the own clock missed one */

proctype Sender() {
end:
    do
    :: d_step { renewal == NONE -> renewal = SENT; age = 0 }  /* Lease._renew */
    :: d_step { renewal == SENT -> renewal = COMMITTED; lease = LEASE }  /* renew_lease */
    :: d_step { renewal == COMMITTED ->  /* Lease._note */
#ifdef M_FROM_HEARD
        gate = LEASE - MARGIN;
#else
        gate = (age < LEASE - MARGIN -> LEASE - MARGIN - age : 0);
#endif
        renewal = NONE; age = 0 }
    :: d_step { renewal == SENT -> renewal = NONE; age = 0; orphan = true }
    :: d_step { renewal == COMMITTED -> renewal = NONE; age = 0 }
    :: d_step { orphan -> orphan = false; lease = LEASE }
    :: d_step { orphan -> orphan = false }
    od
}

inline passes(own) {
    lease = (lease -> lease - 1 : 0);
    gate = (gate > own -> gate - own : 0);
    age = (renewal == NONE -> 0 : (age + own < LEASE -> age + own : LEASE))
}

proctype Time() {
end:
    do
    :: d_step { passes(1); since_miss = (since_miss < LEASE -> since_miss + 1 : LEASE);
        assert(lease || !gate) }
    :: d_step { since_miss == LEASE -> passes(0); since_miss = 1;
        assert(lease || !gate) }
#ifdef M_CLOCK_STOPS
    /* A clock that stands still while the machine sleeps (CLOCK_MONOTONIC). */
    :: d_step { passes(0); assert(lease || !gate) }
#endif
#ifdef M_DATABASE_JUMPS
    /* The database's clock is set forward. */
    :: d_step { lease = 0; assert(lease || !gate) }
#endif
    od
}

init {
    atomic { run Sender(); run Time() }
}

/* The confirmation of docs/protocol/media.md against an attacker who owns signalling, directory and relays.
 *
 * Alice places calls, Bob takes calls, RUNS each. Mallory decides whom each of them believes to be talking to, who holds
 * the other end of each DTLS session, and the order of everything; he may be called, and call, under his own name. He
 * does not break cryptography: a term that he cannot build, he cannot send (Dolev and Yao, 1983).
 *
 * Two things people rely on are asserted:
 *   SIGNED  whoever accepts the other's signature shares the DTLS session with the other, and the other means him.
 *   WORDS   Alice and Bob, who believe to talk to each other while Mallory holds both ends, never see the same words.
 *
 * The words are 32 bits, so Mallory can *grind*: try nonces until the words on both sides are equal. He can do that with a
 * nonce that he is still free to choose when he knows everything else that enters both. The model counts grinding as done
 * wherever it is possible, and equal words of different sessions as impossible elsewhere (a chance of 2^-32 for each try).
 *
 * Taking a rule away must make the check fail; scripts/check-model sees to it that it does:
 *   -DNO_COMMIT    the caller's first message says its nonce instead of committing to it
 *   -DNO_IDENTITY  the OpenPGP fingerprints are not in the context
 *   -DNO_EMS       no extended master secret: Mallory gives both sessions one secret (triple handshake, 2014)
 *   -DNO_FP        the DTLS fingerprints are not in the context (fails together with NO_EMS only: two locks on one door)
 * and -DCAN_SIGN must fail too: it claims that nobody ever gets as far as a signature.
 */
#ifndef RUNS
#define RUNS 2
#endif

#define ALICE   1                     /* OpenPGP keys, and the owner of a DTLS certificate */
#define BOB     2
#define MALLORY 3
#define NOBODY  9                     /* no partner: Mallory holds the other end */

#define NONE    0                     /* nonces: Alice's, Bob's, Mallory's */
#define NA(i)   (1 + i)
#define NB(j)   (1 + RUNS + j)
#define NM      (1 + 2 * RUNS)
#define GROUND  (2 + 2 * RUNS)
#define NONCES  (3 + 2 * RUNS)

#define NEW     0                     /* states of a run */
#define KEYED   1                     /* DTLS is up */
#define BOUND   2                     /* caller: committed; callee: has a commitment, has said its nonce */
#define AGREED  3                     /* words shown, own signature given */
#define SIGNED  4                     /* the other's signature accepted */
#define FAILED  5

typedef Run {
    byte state;
    byte partner;                     /* the run that holds the other end, or NOBODY */
    byte peer;                        /* the OpenPGP key believed to be at the other end */
    byte fp;                          /* owner of the certificate at the other end */
    byte secret;                      /* master secret */
    byte caller_nonce, callee_nonce;
    byte bound_nonce;                 /* callee: what the commitment opens to ... */
    short bound_to;                   /* ... and the transcript it was made for */
};
Run a[RUNS];
Run b[RUNS];
bool known[NONCES];                   /* to Mallory */
bool ground[RUNS * RUNS];             /* words of a[i] and b[j] made equal */

#ifdef NO_IDENTITY
#define WHO(caller, callee) 0
#else
#define WHO(caller, callee) (4 * caller + callee)
#endif
#ifdef NO_FP
#define FPS(caller, callee) 0
#else
#define FPS(caller, callee) (4 * caller + callee)
#endif
/* T of each side; the exporter's output is as secret, and as equal, as the master secret */
#define TA(i) ((WHO(ALICE, a[i].peer) * 16 + FPS(ALICE, a[i].fp)) * 32 + a[i].secret)
#define TB(j) ((WHO(b[j].peer, BOB) * 16 + FPS(b[j].fp, BOB)) * 32 + b[j].secret)

/* master secrets: one for each pair of honest runs, one for each session that Mallory ends */
#define DIRECT(i, j)  (1 + RUNS * i + j)
#ifdef NO_EMS
#define WITH_ALICE(i) (1 + RUNS * RUNS)
#define WITH_BOB(j)   (1 + RUNS * RUNS)
#else
#define WITH_ALICE(i) (1 + RUNS * RUNS + i)
#define WITH_BOB(j)   (1 + RUNS * RUNS + RUNS + j)
#endif

#define SAME_HASH(i, j) (TA(i) == TB(j) && a[i].caller_nonce == b[j].caller_nonce && a[i].callee_nonce == b[j].callee_nonce)
#define AGREES(run)     (run.state == AGREED || run.state == SIGNED)
#define SEES(run)       (run.partner == NOBODY)

/* Mallory chooses a nonce: one he knows, or one ground so that the words of a[i] and b[j] become equal. */
inline choose_known(n) {
    if
    :: n = NM
    :: d_step { known[NA(0)] -> n = NA(0) }
    :: d_step { known[NB(0)] -> n = NB(0) }
#if RUNS > 1
    :: d_step { known[NA(1)] -> n = NA(1) }
    :: d_step { known[NB(1)] -> n = NB(1) }
#endif
    fi
}

inline pick(r) { if :: r = 0
#if RUNS > 1
                    :: r = 1
#endif
                 fi }

/* Who may grind: everything else that enters the words of both runs is fixed and known. */
#define FREE_AT_ALICE(i, j) (known[NA(i)] && SEES(b[j]) && b[j].bound_nonce != NONE && known[NB(j)])
#define FREE_AT_BOB(i, j)   (known[NA(i)] && SEES(a[i]) && a[i].callee_nonce != NONE && known[NB(j)])

active proctype World() {
    byte i, j, n;
    do
    /* -- calls: Mallory connects Alice's run i and Bob's run j directly, or holds an end himself */
    :: atomic { pick(i); pick(j); a[i].state == NEW && b[j].state == NEW ->
           a[i].state = KEYED; a[i].partner = j; a[i].fp = BOB;   a[i].secret = DIRECT(i, j); a[i].caller_nonce = NA(i);
           b[j].state = KEYED; b[j].partner = i; b[j].fp = ALICE; b[j].secret = DIRECT(i, j);
           if :: a[i].peer = BOB   :: a[i].peer = MALLORY fi;
           if :: b[j].peer = ALICE :: b[j].peer = MALLORY fi }
    :: atomic { pick(i); a[i].state == NEW ->
           a[i].state = KEYED; a[i].partner = NOBODY; a[i].fp = MALLORY; a[i].secret = WITH_ALICE(i); a[i].caller_nonce = NA(i);
           if :: a[i].peer = BOB :: a[i].peer = MALLORY fi }
    :: atomic { pick(j); b[j].state == NEW ->
           b[j].state = KEYED; b[j].partner = NOBODY; b[j].fp = MALLORY; b[j].secret = WITH_BOB(j);
           if :: b[j].peer = ALICE :: b[j].peer = MALLORY fi }

    /* -- COMMIT: Alice's, which reaches her partner or Mallory */
    :: atomic { pick(i); a[i].state == KEYED ->
           a[i].state = BOUND;
           if
           :: SEES(a[i]) ->
#ifdef NO_COMMIT
               known[NA(i)] = true
#else
               skip                   /* the hash tells nothing of a nonce of 256 bits */
#endif
           :: else -> j = a[i].partner;
               b[j].bound_nonce = NA(i); b[j].bound_to = TA(i); b[j].callee_nonce = NB(j); b[j].state = BOUND
           fi }
    /* COMMIT of Mallory to Bob: to a nonce he knows, or, copied, to one he does not */
    :: atomic { pick(j); b[j].state == KEYED && SEES(b[j]) ->
           if
           :: choose_known(n); b[j].bound_to = TB(j)
           :: pick(i); a[i].state != NEW && a[i].state != KEYED && SEES(a[i]) -> n = NA(i); b[j].bound_to = TA(i)
#ifdef NO_COMMIT
           :: n = GROUND; b[j].bound_to = TB(j)   /* says nothing yet: it is chosen when Bob has spoken */
#endif
           fi;
           b[j].bound_nonce = n; b[j].callee_nonce = NB(j); b[j].state = BOUND; known[NB(j)] = true }

    /* -- NONCE: Bob's, or Mallory's to Alice; she reveals hers and agrees */
    :: atomic { pick(i); a[i].state == BOUND ->
           if
           :: SEES(a[i]) ->
               if
               :: choose_known(n)
               :: pick(j); FREE_AT_ALICE(i, j) -> n = GROUND; ground[RUNS * i + j] = true
               fi;
               a[i].callee_nonce = n; known[NA(i)] = true
           :: else -> j = a[i].partner; a[i].callee_nonce = b[j].callee_nonce;
               if                     /* REVEAL, straight to Bob */
               :: b[j].bound_to == TB(j) && b[j].bound_nonce == NA(i) -> b[j].caller_nonce = NA(i); b[j].state = AGREED
               :: else -> b[j].state = FAILED
               fi
           fi;
           a[i].state = AGREED }

    /* -- REVEAL of Mallory to Bob: what opens the commitment, if he has it */
    :: atomic { pick(j); b[j].state == BOUND && SEES(b[j]) ->
#ifdef NO_COMMIT
           if
           :: b[j].bound_nonce == GROUND -> pick(i);
               if :: FREE_AT_BOB(i, j) -> ground[RUNS * i + j] = true :: else fi
           :: else
           fi;
#endif
           if
           :: b[j].bound_to == TB(j) && (known[b[j].bound_nonce] || b[j].bound_nonce >= NM) ->
               b[j].caller_nonce = b[j].bound_nonce; b[j].state = AGREED
           :: else -> b[j].state = FAILED
           fi }

    /* -- SIGNATURE: only Bob makes Bob's. Those given to Mallory he may give to anybody; Mallory's own prove nothing of Bob. */
    :: atomic { pick(i); pick(j); a[i].state == AGREED && a[i].peer == BOB && AGREES(b[j]) && SAME_HASH(i, j) &&
                (a[i].partner == j || (SEES(a[i]) && SEES(b[j]))) ->
           a[i].state = SIGNED;
#ifdef CAN_SIGN
           assert(false);
#endif
           assert(a[i].partner == j);           /* SIGNED: nobody between */
           assert(b[j].peer == ALICE) }         /* SIGNED: and he means her */
    :: atomic { pick(i); pick(j); b[j].state == AGREED && b[j].peer == ALICE && AGREES(a[i]) && SAME_HASH(i, j) &&
                (b[j].partner == i || (SEES(a[i]) && SEES(b[j]))) ->
           b[j].state = SIGNED;
           assert(b[j].partner == i);
           assert(a[i].peer == BOB) }

    /* -- WORDS: two people who read them to each other while Mallory holds both ends */
    :: atomic { pick(i); pick(j); AGREES(a[i]) && AGREES(b[j]) && SEES(a[i]) && SEES(b[j]) &&
                a[i].peer == BOB && b[j].peer == ALICE ->
           assert(!SAME_HASH(i, j) && !ground[RUNS * i + j]) }
    :: break
    od
}

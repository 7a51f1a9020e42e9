/* The usual RTP packet of a call, taken from one socket, encrypted or decrypted, and sent from another, by threads that
 * never touch Python. Whatever is not exactly what a flow was armed for is reported, whole and unchanged, to Python,
 * which does everything else (docs/decisions/0015). Python's own way of doing the same is media/bridge.py.
 *
 * An SRTP session belongs to its armed flow, or to Python once pump_disarm has returned: never to both. */

#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_DESCRIPTOR 65536
#define MAX_THREADS 64
#define MAX_DATAGRAM 65536
#define MAX_PACKET 2048 /* longest that a flow takes; SRTP may put TRAILER bytes behind it */
#define TRAILER 256
#define RTP_HEADER 12
#define MAX_DROPOUT 3000 /* as media/protocol/quality.py: a jump that large begins a new count, which Python does */
#define BATCH 64
#define NICE -10

typedef int (*crypt_function)(void *session, void *packet, int *size); /* srtp_protect or srtp_unprotect */

struct address { /* a sockaddr_in or sockaddr_in6, zeros behind it */
    uint8_t bytes[sizeof(struct sockaddr_in6)];
    uint32_t length;
};

struct flow { /* media/pump/library.py has the same fields in the same order */
    /* what it is for */
    crypt_function crypt;
    void *session;
    struct address from, to;
    uint8_t ssrc[4];
    int32_t out;       /* the descriptor to send from */
    int32_t max_size;  /* longest datagram that it takes */
    int32_t measured;  /* whether to follow loss and jitter */
    double clock_rate; /* of the timestamps, in Hz */
    /* where the measurement stands */
    uint64_t highest;
    double jitter;
    double transit; /* not a number: none yet */
    /* what has passed since it was looked at last; unsent: what could not be, to the wire or to Python */
    uint64_t packets, bytes, reordered, unsent;
    double heard_at; /* CLOCK_MONOTONIC, in seconds, of the last packet; 0 if none */
    uint64_t after;  /* number of the last report that Python has dealt with: later ones must not be overtaken */
};

struct report { /* before each datagram that is reported */
    uint32_t descriptor, generation;
    struct address from;
    uint64_t number; /* of the reports of this descriptor that have their place among the flow's packets; or 0 */
};

struct entry { /* one descriptor; never freed before the pump, so that a thread may always look */
    pthread_mutex_t lock;
    int is_open, is_armed;
    uint32_t generation;
    uint64_t reported, overflowed;
    struct flow flow;
};

struct pump;
struct worker {
    struct pump *pump;
    pthread_t thread;
    int epoll;
    uint8_t in[MAX_DATAGRAM];
    uint8_t work[MAX_PACKET + TRAILER];
};

struct pump {
    int reports, stop, threads, top; /* top: above all descriptors that were ever open */
    _Atomic(struct entry *) entries[MAX_DESCRIPTOR];
    struct worker *workers;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct entry *entry_of(struct pump *pump, int fd) {
    return fd >= 0 && fd < MAX_DESCRIPTOR ? atomic_load(&pump->entries[fd]) : NULL;
}

static uint32_t step_of(const struct flow *flow, const uint8_t *packet) {
    return ((uint32_t)(packet[2] << 8 | packet[3]) - (uint32_t)flow->highest) & 0xffff;
}

/* Whether that is the packet that the flow is for; nothing of it is trusted yet. */
static int is_usual(const struct flow *flow, const uint8_t *packet, ssize_t size, const struct address *from) {
    if (size < RTP_HEADER || size > flow->max_size || packet[0] >> 6 != 2) return 0;
    if (packet[1] >= 192 && packet[1] <= 223) return 0; /* RTCP, RFC 5761 section 4 */
    if (memcmp(packet + 8, flow->ssrc, 4) || memcmp(from, &flow->from, sizeof *from)) return 0;
    uint32_t step = flow->measured ? step_of(flow, packet) : 0;
    return step < MAX_DROPOUT || step > 0x10000 - MAX_DROPOUT;
}

/* As Reception.receive in media/protocol/quality.py (RFC 3550 appendix A.1 and A.8). */
static void measure(struct flow *flow, const uint8_t *packet, double at) {
    uint32_t step = step_of(flow, packet);
    if (step < MAX_DROPOUT) flow->highest += step;
    else flow->reordered++;
    uint32_t timestamp = (uint32_t)packet[4] << 24 | (uint32_t)packet[5] << 16 | (uint32_t)packet[6] << 8 | packet[7];
    double transit = at * flow->clock_rate - timestamp;
    double difference = fabs(transit - flow->transit);
    if (difference < MAX_DROPOUT * flow->clock_rate / 100) /* false without a transit before */
        flow->jitter += (difference - flow->jitter) / 16;
    flow->transit = transit;
}

/* Pass one packet on; 0 when libsrtp refuses it. */
static int pass(struct flow *flow, uint8_t *work, const uint8_t *packet, int size) {
    int sealed = size;
    memcpy(work, packet, (size_t)size); /* what is refused is reported as it came */
    if (flow->crypt(flow->session, work, &sealed) != 0 || sealed < RTP_HEADER || sealed > MAX_PACKET + TRAILER)
        return 0;
    const struct sockaddr *to = (const void *)flow->to.bytes;
    if (sendto(flow->out, work, (size_t)sealed, MSG_DONTWAIT | MSG_NOSIGNAL, to, flow->to.length) < 0)
        flow->unsent++;
    double at = now();
    if (flow->measured) measure(flow, packet, at);
    flow->packets++;
    flow->bytes += (uint64_t)(sealed < size ? sealed : size); /* of the packet in the clear */
    flow->heard_at = at;
    return 1;
}

/* Leave a datagram to Python. What belongs among the flow's packets halts the flow, so that none overtakes it. */
static void report(struct pump *pump, struct entry *entry, struct report *head, uint8_t *data, size_t size) {
    struct iovec parts[2] = {{head, sizeof *head}, {data, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    int is_ordered = size && data[0] >> 6 == 2 &&
                     !(entry->is_armed && memcmp(&head->from, &entry->flow.from, sizeof head->from));
    if (is_ordered) head->number = entry->reported + 1;
    if (sendmsg(pump->reports, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        entry->overflowed++; /* Python is too slow for what comes */
    } else if (is_ordered) {
        entry->reported++;
        entry->is_armed = 0;
    }
}

/* One datagram of one descriptor: level-triggered, so what is left there is told again, and nobody starves. */
static void serve(struct worker *worker, int fd) {
    struct entry *entry = entry_of(worker->pump, fd);
    if (!entry) return;
    pthread_mutex_lock(&entry->lock);
    if (entry->is_open) {
        struct report head = {.descriptor = (uint32_t)fd, .generation = entry->generation};
        struct sockaddr *from = (void *)head.from.bytes;
        head.from.length = sizeof head.from.bytes;
        ssize_t size = recvfrom(fd, worker->in, sizeof worker->in, MSG_DONTWAIT, from, &head.from.length);
        /* An error is an ICMP message about what was sent, and has been taken off the socket with that. */
        if (size >= 0 && head.from.length <= sizeof head.from.bytes &&
            !(entry->is_armed && is_usual(&entry->flow, worker->in, size, &head.from) &&
              pass(&entry->flow, worker->work, worker->in, (int)size)))
            report(worker->pump, entry, &head, worker->in, (size_t)size);
    }
    pthread_mutex_unlock(&entry->lock);
}

/* Sound does not wait for Python's work, where the system lets us say so. */
static void go_first(void) {
    struct sched_param parameters;
    int policy;
    if (pthread_getschedparam(pthread_self(), &policy, &parameters) != 0) return;
    parameters.sched_priority++;
    if (policy == SCHED_FIFO || policy == SCHED_RR) pthread_setschedparam(pthread_self(), policy, &parameters);
    else setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

static void *run(void *argument) {
    struct worker *worker = argument;
    go_first();
    struct epoll_event events[BATCH];
    for (;;) {
        int ready = epoll_wait(worker->epoll, events, BATCH, -1);
        for (int at = 0; at < ready; at++) {
            if (events[at].data.fd == worker->pump->stop) return NULL;
            serve(worker, events[at].data.fd);
        }
        if (ready < 0 && errno != EINTR) return NULL;
    }
}

static void release(struct pump *pump, int running) {
    uint64_t one = 1;
    if (running && write(pump->stop, &one, sizeof one) < 0) abort(); /* threads could not be ended: never happens */
    for (int at = 0; at < running; at++) pthread_join(pump->workers[at].thread, NULL);
    for (int at = 0; pump->workers && at < pump->threads; at++)
        if (pump->workers[at].epoll >= 0) close(pump->workers[at].epoll);
    for (int fd = 0; fd < pump->top; fd++) free(entry_of(pump, fd));
    if (pump->workers) explicit_bzero(pump->workers, (size_t)pump->threads * sizeof *pump->workers);
    if (pump->stop >= 0) close(pump->stop);
    free(pump->workers);
    free(pump);
}

/* Of the functions and structures that media/pump/library.py knows. */
int pump_version(void) { return 1; }
_Static_assert(sizeof(struct flow) == 176 && sizeof(struct report) == 48, "as library.py and engine.py say");

/* Start the threads; reports go to that SOCK_SEQPACKET socket, which stays the caller's. NULL when it cannot be. */
struct pump *pump_start(int threads, int reports) {
    if (threads < 1 || threads > MAX_THREADS) return NULL;
    struct pump *pump = calloc(1, sizeof *pump);
    if (!pump) return NULL;
    pump->threads = threads;
    pump->reports = reports;
    pump->stop = eventfd(0, EFD_CLOEXEC);
    pump->workers = calloc((size_t)threads, sizeof *pump->workers);
    for (int at = 0; pump->workers && at < threads; at++) pump->workers[at].epoll = -1;
    for (int at = 0; at < threads; at++) {
        struct epoll_event stop = {.events = EPOLLIN, .data.fd = pump->stop};
        struct worker *worker = pump->workers ? &pump->workers[at] : NULL;
        if (worker) worker->pump = pump;
        if (!worker || pump->stop < 0 || (worker->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
            epoll_ctl(worker->epoll, EPOLL_CTL_ADD, pump->stop, &stop) < 0 ||
            pthread_create(&worker->thread, NULL, run, worker) != 0) {
            release(pump, at);
            return NULL;
        }
    }
    return pump;
}

/* End the threads. All descriptors must have been closed. */
void pump_stop(struct pump *pump) { release(pump, pump->threads); }

/* Take a datagram socket over; what comes is reported under that generation. -1 when it cannot be. */
int pump_open(struct pump *pump, int thread, int fd, uint32_t generation) {
    if (fd < 0 || fd >= MAX_DESCRIPTOR || thread < 0) return -1;
    struct entry *entry = entry_of(pump, fd);
    if (!entry) {
        if (!(entry = calloc(1, sizeof *entry))) return -1;
        pthread_mutex_init(&entry->lock, NULL);
        atomic_store(&pump->entries[fd], entry);
        if (fd >= pump->top) pump->top = fd + 1;
    }
    struct epoll_event readable = {.events = EPOLLIN, .data.fd = fd};
    pthread_mutex_lock(&entry->lock);
    entry->generation = generation;
    entry->is_armed = 0;
    entry->reported = 0;
    entry->is_open = epoll_ctl(pump->workers[thread % pump->threads].epoll, EPOLL_CTL_ADD, fd, &readable) == 0;
    int result = entry->is_open ? 0 : -1;
    pthread_mutex_unlock(&entry->lock);
    return result;
}

/* Let packets pass from now on. Nothing passes, and it returns 1, while there are reports before them that Python has not
 * seen; -1 for what can never be a flow. */
int pump_arm(struct pump *pump, int fd, const struct flow *flow) {
    struct entry *entry = entry_of(pump, fd), *out = entry_of(pump, flow->out);
    if (!entry || !out || !out->is_open || !flow->crypt || !flow->session || flow->max_size > MAX_PACKET) return -1;
    if (flow->to.length > sizeof flow->to.bytes) return -1;
    pthread_mutex_lock(&entry->lock);
    entry->flow = *flow;
    entry->is_armed = entry->is_open && entry->reported == flow->after;
    int result = !entry->is_open ? -1 : !entry->is_armed;
    pthread_mutex_unlock(&entry->lock);
    return result;
}

/* Tell what has passed since the last look, or since it was armed, and go on, or end the flow. Returns 1 if there is
 * one. */
int pump_look(struct pump *pump, int fd, int disarm, struct flow *out) {
    struct entry *entry = entry_of(pump, fd);
    if (!entry) return 0;
    pthread_mutex_lock(&entry->lock);
    int is_one = entry->flow.session != NULL;
    *out = entry->flow;
    out->unsent += entry->overflowed;
    entry->overflowed = entry->flow.packets = entry->flow.bytes = entry->flow.reordered = entry->flow.unsent = 0;
    if (disarm) {
        entry->is_armed = 0;
        memset(&entry->flow, 0, sizeof entry->flow);
    }
    pthread_mutex_unlock(&entry->lock);
    return is_one;
}

/* Give a descriptor back: when this returns, no thread reads from it or sends by it, and it may be closed. */
void pump_close(struct pump *pump, int thread, int fd) {
    struct entry *entry = entry_of(pump, fd);
    if (!entry || thread < 0) return;
    epoll_ctl(pump->workers[thread % pump->threads].epoll, EPOLL_CTL_DEL, fd, NULL);
    for (int at = 0; at < pump->top; at++) {
        struct entry *other = entry_of(pump, at);
        if (!other) continue;
        pthread_mutex_lock(&other->lock);
        if (other == entry) other->is_open = other->is_armed = 0;
        if (other->is_armed && other->flow.out == fd) other->is_armed = 0;
        pthread_mutex_unlock(&other->lock);
    }
}

/* The limit that the fan-out is held against, and the load of all its measurements: gcc -O2 -o fanout fanout.c
 *
 *   fanout serve PORT                              a WebSocket broadcaster on epoll: one send() per viewer and message
 *   fanout load PORT SOCKETS SECONDS HELLO SAY     opens SOCKETS viewers and one speaker, keeps 4 broadcasts under way,
 *                                                  prints deliveries per second
 *   fanout climb PORT SECONDS HELLO SOCKETS:RATE…  for each step: opens viewers until there are SOCKETS; in each room
 *                                                  that has any, one speaks RATE times a second with the time in it;
 *                                                  prints what the viewers saw, and goes on at the next line of input
 *
 * Paths are read from the standard input, one a line, up to an empty one; rooms fill one after the other, each with its
 * even part of all viewers. HELLO is the first message of everyone. A SAY that begins with POST is sent as it is, on a
 * plain connection. Only messages of SIZE bytes count as deliveries. Frames from clients are masked with zeros, so that
 * they are what they say. "begin" is printed when all have joined and a measurement begins. */
#include "wire.h"

#include <signal.h>
#include <sys/resource.h>

enum { SIZE = 200, WINDOW = 4, HEARD = 1024 };

typedef struct {
    int fd, upgraded, speaker;
    Incoming in;
    int is_watched; /* its messages are kept and read */
    char *kept;
    uint64_t kept_size, kept_room;
    uint64_t to, lines, more, most; /* most: lines within any second */
    double *heard; /* when the last lines came, HEARD at most */
    uint64_t heard_first, heard_next;
} Connection;

static int epoll_fd;
static uint8_t buffer[BUFFER];

static void watch(Connection *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e)) fail("epoll_ctl");
}

static void keep(Connection *c, const Piece *piece) {
    if (piece->is_first) c->kept_size = 0;
    if (c->kept_size + piece->size + 1 > c->kept_room) {
        c->kept_room = 2 * (c->kept_size + piece->size + 1);
        c->kept = realloc(c->kept, c->kept_room);
    }
    memcpy(c->kept + c->kept_size, piece->data, piece->size);
    c->kept_size += piece->size;
    c->kept[c->kept_size] = 0;
}

/* Takes the bytes of one connection apart; calls `got` with the payload size of each whole frame. */
static void feed(Connection *c, const uint8_t *data, ssize_t size, void (*got)(Connection *, uint64_t)) {
    Piece piece;
    while (next_piece(&c->in, &data, &size, &piece)) {
        if (c->is_watched || kind(&c->in) >= CLOSE) keep(c, &piece);
        if (!c->in.left) got(c, c->in.length);
    }
}

/* ---------------------------------------------------------------- the broadcaster */

static Connection **viewers;
static int viewer_count, viewer_room;
static uint8_t message[SIZE + 4];
static int message_size;

static void broadcast(Connection *speaker, uint64_t size) {
    (void)size;
    for (int i = 0; i < viewer_count; i++)
        if (viewers[i] != speaker) send(viewers[i]->fd, message, (size_t)message_size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ignore_hello(Connection *c, uint64_t size) {
    /* The first message of everyone is a hello; whoever says more is the speaker. */
    if (c->speaker++ > 0) broadcast(c, size);
}

static void hang_up(Connection *c) {
    for (int i = 0; i < viewer_count; i++)
        if (viewers[i] == c) {
            viewers[i] = viewers[--viewer_count];
            break;
        }
    close(c->fd);
    free(c);
}

static void serve(int port) {
    char payload[SIZE];
    memset(payload, 'x', SIZE);
    message_size = frame(message, payload, SIZE, 0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) fail("listen");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    static const char accepted[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            Connection *c = events[i].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    if (viewer_count == viewer_room) {
                        viewer_room = viewer_room ? 2 * viewer_room : 1024;
                        viewers = realloc(viewers, (size_t)viewer_room * sizeof *viewers);
                    }
                    viewers[viewer_count++] = c;
                    watch(c);
                }
                continue;
            }
            ssize_t size = recv(c->fd, buffer, BUFFER, 0);
            if (size <= 0) {
                if (size < 0 && errno == EAGAIN) continue;
                hang_up(c);
                continue;
            }
            uint8_t *data = buffer;
            if (!c->upgraded) { /* requests are small: they come whole */
                uint8_t *end = memmem(buffer, (size_t)size, "\r\n\r\n", 4);
                if (!end) continue;
                send(c->fd, accepted, sizeof accepted - 1, MSG_NOSIGNAL);
                c->upgraded = 1;
                size -= end + 4 - buffer;
                data = end + 4;
            }
            feed(c, data, size, ignore_hello);
        }
    }
}

/* ---------------------------------------------------------------- the load */

static uint64_t delivered, frames_seen;
static char **paths;
static int path_count, viewers_in_all;

static int room_of(int viewer) {
    return (int)((int64_t)viewer * path_count / viewers_in_all);
}

static void read_paths(void) {
    static char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!*line) break;
        paths = realloc(paths, (size_t)(path_count + 1) * sizeof *paths);
        paths[path_count++] = strdup(line);
    }
    if (!path_count) {
        fprintf(stderr, "no paths on the standard input\n");
        exit(2);
    }
}

/* Answers a ping; true if the frame was one of control. */
static int control(Connection *c, uint64_t size) {
    if (kind(&c->in) == PING) pong(c->fd, c->kept, size);
    if (kind(&c->in) == CLOSE) {
        int code = size < 2 ? 0 : (uint8_t)c->kept[0] << 8 | (uint8_t)c->kept[1];
        fprintf(stderr, "a viewer of %d was told to go: %d %s\n", viewer_count, code, size > 2 ? c->kept + 2 : "");
        exit(1);
    }
    return kind(&c->in) >= CLOSE;
}

static void count(Connection *c, uint64_t size) {
    if (!control(c, size) && size == SIZE && !c->speaker) delivered++;
}

static void drain(int milliseconds, void (*got)(Connection *, uint64_t)) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll_fd, events, EVENTS, milliseconds);
    for (int i = 0; i < n; i++) {
        Connection *c = events[i].data.ptr;
        ssize_t size = recv(c->fd, buffer, BUFFER, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN)) {
            fprintf(stderr, "a viewer was cut off\n");
            exit(1);
        }
        if (size > 0 && !c->upgraded) feed(c, buffer, size, got);
    }
}

static Connection *open_socket(int port, int number, int room, const char *hello) {
    Connection *c = calloc(1, sizeof *c);
    c->fd = dial(port, number);
    upgrade(c->fd, port, paths[room]);
    if (*hello) tell(c->fd, hello);
    watch(c);
    return c;
}

/* Opens viewers until there are `sockets`; one of `every` is watched. */
static void open_viewers(int port, int sockets, const char *hello, void (*got)(Connection *, uint64_t), int every) {
    for (int i = viewer_count; i < sockets; i++) {
        Connection *c = open_socket(port, i, room_of(i), hello);
        c->is_watched = every && i % every == 0;
        if (c->is_watched) c->heard = calloc(HEARD, sizeof *c->heard);
        viewers[viewer_count++] = c;
        if (i % 64 == 0) drain(0, got);
    }
}

static void rest(double seconds, void (*got)(Connection *, uint64_t)) {
    for (double quiet = now() + seconds; now() < quiet;) drain(50, got);
}

static void load(int port, int sockets, double seconds, const char *hello, const char *say) {
    open_viewers(port, sockets, hello, count, 0);
    int is_plain = !strncmp(say, "POST ", 5);
    Connection *speaker;
    if (is_plain) {
        speaker = calloc(1, sizeof *speaker);
        speaker->fd = dial(port, 0);
        speaker->upgraded = 1; /* what comes on it is read and left */
        watch(speaker);
    } else {
        speaker = open_socket(port, 0, 0, hello);
    }
    speaker->speaker = 1;
    rest(1, count); /* snapshots and counts pass by */
    uint64_t said = 0, before = 0, viewers_here = (uint64_t)sockets;
    double start = 0, warm = now() + 0.5, end = warm + seconds;
    delivered = 0;
    while (now() < end) {
        if (!start && now() >= warm) {
            start = now();
            before = delivered;
            printf("begin\n");
            fflush(stdout);
        }
        while (said * viewers_here < delivered + WINDOW * viewers_here) {
            if (!is_plain) tell(speaker->fd, say);
            else if (send(speaker->fd, say, strlen(say), MSG_NOSIGNAL) < 0) fail("send");
            said++;
        }
        drain(2, count);
    }
    printf("%.0f\n", (double)(delivered - before) / (now() - start));
}

/* ---------------------------------------------------------------- the watch */

enum { SAMPLES = 1 << 22 };
static float *samples;
static uint64_t sample_count, gaps;
static int is_measured;

static uint64_t number_after(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void see(Connection *c, uint64_t size) {
    if (control(c, size) || c->speaker) return;
    if (is_measured) frames_seen++;
    if (!c->is_watched || strncmp(c->kept, "{\"type\":\"events\"", 16)) return;
    uint64_t from = number_after(c->kept, "\"from\":"), to = number_after(c->kept, "\"to\":");
    if (from) {
        if (c->to && from != c->to + 1) gaps++;
        c->to = to;
    }
    if (!is_measured) return;
    c->more += number_after(c->kept, "\"more_chat\":");
    double at = now();
    for (const char *one = c->kept; (one = strstr(one, "t=")); one += 2) {
        c->lines++;
        c->heard[c->heard_next++ % HEARD] = at;
        while (c->heard[c->heard_first % HEARD] <= at - 1 || c->heard_next - c->heard_first > HEARD) c->heard_first++;
        if (c->heard_next - c->heard_first > c->most) c->most = c->heard_next - c->heard_first;
        if (sample_count < SAMPLES) samples[sample_count++] = (float)(1000 * (at - strtod(one + 2, NULL)));
    }
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Says what is due RATE times a second in each of `rooms`, and reads, until `end`. */
static uint64_t converse(Connection **speakers, int rooms, double rate, double end) {
    static uint64_t numbers;
    uint64_t said = 0;
    for (double begin = now(); now() < end; drain(2, see))
        for (; (double)said < (now() - begin) * rate * rooms; said++) {
            char text[256];
            snprintf(text, sizeof text,
                     "{\"type\":\"say\",\"id\":\"00000000-0000-7000-8000-%012llx\",\"text\":\"t=%.6f\"}",
                     (unsigned long long)numbers++, now());
            tell(speakers[said % (uint64_t)rooms]->fd, text);
        }
    return said;
}

static void print_seen(double opening, double took, double said_per_s) {
    uint64_t lines = 0, most = 0, more = 0, watched = 0;
    for (int i = 0; i < viewer_count; i++)
        if (viewers[i]->is_watched) {
            watched++;
            lines += viewers[i]->lines;
            more += viewers[i]->more;
            if (viewers[i]->most > most) most = viewers[i]->most;
        }
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("{\"sockets\":%d,\"opening_s\":%.2f,\"seconds\":%.3f,\"said_per_s\":%.2f,\"frames_per_s\":%.1f,"
           "\"lines_per_s\":%.2f,\"most_lines_in_a_second\":%llu,\"more_per_s\":%.2f,\"gaps\":%llu,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           viewer_count, opening, took, said_per_s, (double)frames_seen / took,
           (double)lines / (double)watched / took, (unsigned long long)most, (double)more / (double)watched / took,
           (unsigned long long)gaps, sample_count ? samples[sample_count / 2] : 0,
           sample_count ? samples[sample_count * 99 / 100] : 0, sample_count ? samples[sample_count - 1] : 0);
    fflush(stdout);
}

static void forget(void) {
    frames_seen = sample_count = 0;
    for (int i = 0; i < viewer_count; i++) viewers[i]->lines = viewers[i]->more = viewers[i]->most = 0;
}

static void climb(int port, double seconds, const char *hello, char **steps, int step_count) {
    static int speaker_count;
    samples = malloc(SAMPLES * sizeof *samples);
    Connection **speakers = calloc((size_t)path_count, sizeof *speakers);
    for (int step = 0; step < step_count; step++) {
        int sockets = atoi(steps[step]);
        double rate = atof(strchr(steps[step], ':') + 1), opening = now();
        open_viewers(port, sockets, hello, see, 8);
        opening = now() - opening;
        int rooms = room_of(sockets - 1) + 1;
        for (; speaker_count < rooms; speaker_count++) {
            speakers[speaker_count] = open_socket(port, speaker_count, speaker_count, hello);
            speakers[speaker_count]->speaker = 1;
        }
        rest(0.5, see);
        converse(speakers, rooms, rate, now() + 1.2); /* longer than the second by which chat is capped */
        forget();
        is_measured = 1;
        printf("begin\n");
        fflush(stdout);
        double start = now();
        uint64_t said = converse(speakers, rooms, rate, start + seconds);
        double took = now() - start;
        is_measured = 0;
        print_seen(opening, took, (double)said / took / rooms);
        char line[8];
        if (!fgets(line, sizeof line, stdin)) break;
    }
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    if (argc == 3 && !strcmp(argv[1], "serve")) serve(atoi(argv[2]));
    int is_load = argc == 7 && !strcmp(argv[1], "load"), is_climb = argc > 5 && !strcmp(argv[1], "climb");
    if (is_load || is_climb) {
        viewers_in_all = atoi(argv[is_load ? 3 : argc - 1]);
        viewers = calloc((size_t)viewers_in_all + 1, sizeof *viewers);
        read_paths();
        if (is_load) load(atoi(argv[2]), viewers_in_all, atof(argv[4]), argv[5], argv[6]);
        else climb(atoi(argv[2]), atof(argv[3]), argv[4], argv + 5, argc - 5);
        return 0;
    }
    fprintf(stderr, "see the head of fanout.c\n");
    return 2;
}

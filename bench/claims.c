/* The buyers of `bench/claims.py`, in C so that they are not what is measured: gcc -O2 -o claims claims.c
 *
 *   claims socket|http PORT BUYERS SECONDS    everyone buys again as soon as they are answered
 *   claims socket|http PORT BUYERS 0          everyone buys once, all at the same moment
 *
 * Standard input: the number of wishes, that many wishes (the JSON of a claim after its id), then a line for each buyer:
 * the path with a ticket for a socket, the headers for HTTP (a tab stands for a line's end).
 * Prints one JSON line: answers a second, orders, refused, and how long answers took in milliseconds. */
#include "wire.h"

enum { HEAD = 256, LINE = 8192 };
static const double WARM_SECONDS = 1.0, PATIENCE_SECONDS = 60.0;

typedef struct {
    int fd, kept;
    Incoming in;     /* of HTTP only how much of a body is left */
    char head[HEAD]; /* how the frame or the answer begins */
    double asked;
    char *line;
} Buyer;

static int epoll_fd, is_http, wish_count, port;
static char **wishes;
static uint64_t orders, refused;
static double *took;
static uint64_t took_count, took_room;
static int measuring, again;
static uint64_t seed = 88172645463325252ull;

static uint64_t chance(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* A UUIDv7 as text, 36 bytes. */
static void new_id(char *to) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t milliseconds = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    uint64_t high = milliseconds << 16 | 0x7000 | (chance() & 0xfff), low = (chance() >> 2) | 1ull << 63;
    static const char digit[] = "0123456789abcdef";
    for (int i = 0, at = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) to[at++] = '-';
        to[at++] = digit[(i < 16 ? high >> (60 - 4 * i) : low >> (60 - 4 * (i - 16))) & 15];
    }
}

static void ask(Buyer *b) {
    static char out[2 * LINE], body[LINE];
    const char *wish = wishes[wish_count == 1 ? 0 : chance() % (uint64_t)wish_count];
    int size = snprintf(body, sizeof body, "%s\"id\":\"%36s\",%s", is_http ? "{" : "{\"type\":\"buy\",", "", wish), n;
    new_id(strstr(body, "\"id\":\"") + 6);
    if (is_http) {
        n = snprintf(out, sizeof out, "POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Length: %d\r\n\r\n%s",
                     port, b->line, size, body);
    } else {
        n = frame((uint8_t *)out, body, size, 1);
    }
    b->asked = now();
    if (send(b->fd, out, (size_t)n, MSG_NOSIGNAL) != n) fail("send");
}

static void answered(Buyer *b, int is_order) {
    if (is_order) orders++;
    else refused++;
    if (measuring) {
        if (took_count == took_room) {
            took_room = took_room ? 2 * took_room : 1 << 16;
            took = realloc(took, took_room * sizeof *took);
        }
        took[took_count++] = now() - b->asked;
    }
    if (!is_order && refused < 4) fprintf(stderr, "%.*s\n", b->kept, b->head);
    if (again) ask(b);
}

static int starts(const Buyer *b, const char *text) {
    return memmem(b->head, (size_t)b->kept, text, strlen(text)) != NULL;
}

static void frame_came(Buyer *b) {
    if (kind(&b->in) == CLOSE) {
        fprintf(stderr, "a buyer was told to go: %.*s\n", b->kept, b->head);
        exit(1);
    }
    if (kind(&b->in) == PING) {
        pong(b->fd, b->head, (uint64_t)b->kept);
    } else if (starts(b, "\"type\":\"answer\"")) {
        answered(b, starts(b, "\"ok\":true"));
    }
}

static void keep(Buyer *b, const uint8_t *data, uint64_t size) {
    uint64_t room = (uint64_t)(HEAD - b->kept), part = size < room ? size : room;
    memcpy(b->head + b->kept, data, part);
    b->kept += (int)part;
}

static void feed_frames(Buyer *b, const uint8_t *data, ssize_t size) {
    Piece piece;
    while (next_piece(&b->in, &data, &size, &piece)) {
        if (piece.is_first) b->kept = 0;
        keep(b, piece.data, piece.size);
        if (!b->in.left) frame_came(b);
    }
}

static void feed_http(Buyer *b, const uint8_t *data, ssize_t size) {
    if (!b->in.left) { /* the head of an answer comes whole */
        uint8_t *end = memmem(data, (size_t)size, "\r\n\r\n", 4);
        char *length = memmem(data, (size_t)size, "ontent-length: ", 15);
        if (!length) length = memmem(data, (size_t)size, "ontent-Length: ", 15);
        if (!end || !length) {
            fprintf(stderr, "not an answer: %.*s\n", (int)size, data);
            exit(1);
        }
        b->kept = 0;
        keep(b, data + 9, 3);
        keep(b, end, (uint64_t)(data + size - end));
        b->in.left = strtoull(length + 15, NULL, 10);
        size -= end + 4 - data;
    }
    b->in.left -= (uint64_t)size;
    if (!b->in.left) answered(b, !strncmp(b->head, "20", 2));
}

static void drain(int milliseconds) {
    static uint8_t buffer[BUFFER];
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll_fd, events, EVENTS, milliseconds);
    for (int i = 0; i < n; i++) {
        Buyer *b = events[i].data.ptr;
        ssize_t size = recv(b->fd, buffer, BUFFER, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN)) {
            fprintf(stderr, "a buyer was cut off\n");
            exit(1);
        }
        if (size > 0) (is_http ? feed_http : feed_frames)(b, buffer, size);
    }
}

static void enter(Buyer *b, int number) {
    b->fd = dial(port, number);
    if (!is_http) {
        upgrade(b->fd, port, b->line);
        tell(b->fd, "{\"type\":\"hello\"}");
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = b};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, b->fd, &e)) fail("epoll_ctl");
}

static char *next_line(void) {
    static char line[LINE];
    if (!fgets(line, sizeof line, stdin)) return NULL;
    line[strcspn(line, "\n")] = 0;
    char *copy = malloc(2 * strlen(line) + 1), *to = copy;
    for (char *from = line; *from; from++) {
        if (*from == '\t') *to++ = '\r', *to++ = '\n';
        else *to++ = *from;
    }
    *to = 0;
    return copy;
}

static int later(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double at_part(double part) {
    return took_count ? took[(uint64_t)(part * (double)(took_count - 1))] * 1000 : 0;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    is_http = !strcmp(argv[1], "http");
    port = atoi(argv[2]);
    int count = atoi(argv[3]);
    double seconds = atof(argv[4]);
    epoll_fd = epoll_create1(0);
    seed ^= (uint64_t)getpid() << 32 ^ (uint64_t)(now() * 1e9);
    wish_count = atoi(next_line());
    wishes = calloc((size_t)wish_count, sizeof *wishes);
    for (int i = 0; i < wish_count; i++) wishes[i] = next_line();
    Buyer *buyers = calloc((size_t)count, sizeof *buyers);
    for (int i = 0; i < count; i++) {
        buyers[i].line = next_line();
        enter(&buyers[i], i);
        if (i % 64 == 0) drain(0);
    }
    for (double quiet = now() + 1; now() < quiet;) drain(50); /* snapshots pass by */
    again = seconds > 0;
    measuring = !again;
    double start = now();
    for (int i = 0; i < count; i++) {
        ask(&buyers[i]);
        if (again && i % 16 == 0) drain(0);
    }
    if (again) {
        while (now() < start + WARM_SECONDS) drain(100);
        uint64_t before = orders + refused;
        measuring = 1;
        printf("begin\n");
        fflush(stdout);
        double from = now();
        while (now() < from + seconds) drain(100);
        double per_second = (double)(orders + refused - before) / (now() - from);
        measuring = again = 0;
        qsort(took, took_count, sizeof *took, later);
        printf("{\"per_s\":%.1f,", per_second);
    } else {
        while (orders + refused < (uint64_t)count && now() < start + PATIENCE_SECONDS) drain(100);
        qsort(took, took_count, sizeof *took, later);
        printf("{\"per_s\":%.1f,", (double)count / (now() - start));
    }
    printf("\"orders\":%llu,\"refused\":%llu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           (unsigned long long)orders, (unsigned long long)refused, at_part(0.5), at_part(0.99), at_part(1));
    fflush(stdout);
    for (double end = now() + 1; again == 0 && seconds > 0 && now() < end;) drain(50); /* the last answers */
    return 0;
}

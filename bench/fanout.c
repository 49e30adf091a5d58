/* The limit that `bench/fanout.py` compares with, and its load: gcc -O2 -o fanout fanout.c
 *
 *   fanout serve PORT                                 a WebSocket broadcaster on epoll: one send() per viewer and message
 *   fanout load PORT SOCKETS SECONDS PATH HELLO SAY   opens SOCKETS viewers and one speaker, keeps 4 broadcasts under way,
 *                                                     prints deliveries per second
 *
 * Only messages of SIZE bytes count. Frames from clients are masked with zeros, so that they are what they say. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 200, WINDOW = 4, EVENTS = 512, BUFFER = 65536 };

typedef struct {
    int fd, upgraded, speaker, header_size;
    uint8_t header[14];
    uint64_t left; /* bytes of the current frame still to come */
    uint64_t length;
    char *request;
    int request_size;
} Connection;

static int epoll_fd;
static uint8_t buffer[BUFFER];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(Connection *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e)) fail("epoll_ctl");
}

/* One text frame; `masked` as clients must. Returns its size. */
static int frame(uint8_t *to, const char *payload, int size, int masked) {
    int n = 0, mask = masked ? 0x80 : 0;
    to[n++] = 0x81;
    if (size < 126) {
        to[n++] = (uint8_t)(mask | size);
    } else {
        to[n++] = (uint8_t)(mask | 126);
        to[n++] = (uint8_t)(size >> 8);
        to[n++] = (uint8_t)size;
    }
    if (masked) {
        memset(to + n, 0, 4);
        n += 4;
    }
    memcpy(to + n, payload, (size_t)size);
    return n + size;
}

/* Takes the bytes of one connection apart; calls `got` with the payload size of each whole frame. */
static void feed(Connection *c, const uint8_t *data, ssize_t size, void (*got)(Connection *, uint64_t)) {
    while (size > 0) {
        if (c->left) {
            uint64_t part = c->left < (uint64_t)size ? c->left : (uint64_t)size;
            c->left -= part;
            data += part;
            size -= (ssize_t)part;
            if (!c->left) got(c, c->length);
            continue;
        }
        c->header[c->header_size++] = *data++;
        size--;
        if (c->header_size < 2) continue;
        int code = c->header[1] & 127, masked = c->header[1] >> 7;
        int need = 2 + (code == 126 ? 2 : code == 127 ? 8 : 0) + (masked ? 4 : 0);
        if (c->header_size < need) continue;
        uint64_t length = (uint64_t)code;
        if (code >= 126) {
            length = 0;
            for (int i = 0; i < (code == 126 ? 2 : 8); i++) length = length << 8 | c->header[2 + i];
        }
        c->header_size = 0;
        c->length = c->left = length;
        if (!length) got(c, 0);
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

static uint64_t delivered;

static void count(Connection *c, uint64_t size) {
    if (size == SIZE && !c->speaker) delivered++;
}

static void drain(int milliseconds) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll_fd, events, EVENTS, milliseconds);
    for (int i = 0; i < n; i++) {
        Connection *c = events[i].data.ptr;
        ssize_t size = recv(c->fd, buffer, BUFFER, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN)) {
            fprintf(stderr, "a viewer was cut off\n");
            exit(1);
        }
        if (size > 0) feed(c, buffer, size, count);
    }
}

static Connection *open_viewer(int port, const char *path, const char *hello) {
    Connection *c = calloc(1, sizeof *c);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(c->fd, (void *)&at, sizeof at)) fail("connect");
    char request[4096];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", path, port);
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n) fail("send");
    char answer[4096] = "";
    int got = 0;
    while (!strstr(answer, "\r\n\r\n")) { /* one byte at a time, not to read past the answer */
        if (recv(c->fd, answer + got, 1, 0) != 1 || ++got > 4000) fail("upgrade");
    }
    if (strncmp(answer, "HTTP/1.1 101", 12)) {
        fprintf(stderr, "%s\n", answer);
        exit(1);
    }
    uint8_t out[4096];
    n = frame(out, hello, (int)strlen(hello), 1);
    if (send(c->fd, out, (size_t)n, MSG_NOSIGNAL) != n) fail("send");
    watch(c);
    return c;
}

static void load(int port, int sockets, double seconds, const char *path, const char *hello, const char *say) {
    for (int i = 0; i < sockets; i++) {
        open_viewer(port, path, hello);
        if (i % 64 == 0) drain(0);
    }
    Connection *speaker = open_viewer(port, path, hello);
    speaker->speaker = 1;
    for (double quiet = now() + 2; now() < quiet;) drain(50); /* snapshots and counts pass by */
    uint8_t out[4096];
    int n = frame(out, say, (int)strlen(say), 1);
    uint64_t said = 0;
    double start = 0, end = now() + seconds + 0.5, warm = now() + 0.5;
    delivered = 0;
    uint64_t before = 0;
    while (now() < end) {
        if (!start && now() >= warm) {
            start = now();
            before = delivered;
        }
        while (said * (uint64_t)sockets < delivered + (uint64_t)WINDOW * (uint64_t)sockets) {
            if (send(speaker->fd, out, (size_t)n, MSG_NOSIGNAL) != n) fail("send");
            said++;
        }
        drain(2);
    }
    printf("%.0f\n", (double)(delivered - before) / (now() - start));
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    epoll_fd = epoll_create1(0);
    if (argc == 3 && !strcmp(argv[1], "serve")) serve(atoi(argv[2]));
    if (argc == 8 && !strcmp(argv[1], "load")) {
        load(atoi(argv[2]), atoi(argv[3]), atof(argv[4]), argv[5], argv[6], argv[7]);
        return 0;
    }
    fprintf(stderr, "see the head of fanout.c\n");
    return 2;
}

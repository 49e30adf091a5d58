/* What fanout.c and claims.c have in common: the clock, connections over the loopback, and the frames of WebSocket. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 65536, CLOSE = 8, PING = 9 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Connections come from many addresses of the loopback, each of which has ports enough. */
static int dial(int port, int number) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET}, at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    from.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)(number % 16));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd < 0 || bind(fd, (void *)&from, sizeof from) || connect(fd, (void *)&at, sizeof at)) fail("connect");
    return fd;
}

/* Makes a socket of a connection. */
static void upgrade(int fd, int port, const char *path) {
    char request[8192 + 256], answer[4096] = "";
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                     path, port);
    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) fail("send");
    for (int got = 0; !strstr(answer, "\r\n\r\n");) /* one byte at a time, not to read past the answer */
        if (recv(fd, answer + got, 1, 0) != 1 || ++got > 4000) fail("upgrade");
    if (strncmp(answer, "HTTP/1.1 101", 12)) {
        fprintf(stderr, "%s\n", answer);
        exit(1);
    }
}

/* One text frame; `masked` as clients must, with zeros, so that it is what it says. Returns its size. */
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

static void tell(int fd, const char *text) {
    static uint8_t out[8192 + 16];
    int n = frame(out, text, (int)strlen(text), 1);
    if (send(fd, out, (size_t)n, MSG_NOSIGNAL) != n) fail("send");
}

/* A ping is answered with its own bytes. */
static void pong(int fd, const char *payload, uint64_t size) {
    uint8_t out[160];
    int n = frame(out, payload, size > 125 ? 0 : (int)size, 1);
    out[0] = 0x8a;
    send(fd, out, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The frame that is coming in on a connection. */
typedef struct {
    int header_size;
    uint8_t header[14];
    uint64_t left; /* bytes of it still to come */
    uint64_t length;
} Incoming;

/* A part of its payload. */
typedef struct {
    const uint8_t *data;
    uint64_t size;
    int is_first;
} Piece;

static inline int kind(const Incoming *in) {
    return in->header[0] & 15;
}

/* Takes the next piece from received bytes; 0 when there is none. The frame is whole when nothing is left of it. */
static inline int next_piece(Incoming *in, const uint8_t **data, ssize_t *size, Piece *piece) {
    while (*size > 0 && !in->left) {
        in->header[in->header_size++] = *(*data)++;
        (*size)--;
        if (in->header_size < 2) continue;
        int code = in->header[1] & 127, masked = in->header[1] >> 7;
        int need = 2 + (code == 126 ? 2 : code == 127 ? 8 : 0) + (masked ? 4 : 0);
        if (in->header_size < need) continue;
        uint64_t length = (uint64_t)code;
        if (code >= 126) {
            length = 0;
            for (int i = 0; i < (code == 126 ? 2 : 8); i++) length = length << 8 | in->header[2 + i];
        }
        in->header_size = 0;
        in->length = in->left = length;
        if (length) break;
        *piece = (Piece){*data, 0, 1};
        return 1;
    }
    if (*size <= 0) return 0;
    uint64_t part = in->left < (uint64_t)*size ? in->left : (uint64_t)*size;
    *piece = (Piece){*data, part, in->left == in->length};
    in->left -= part;
    *data += part;
    *size -= (ssize_t)part;
    return 1;
}

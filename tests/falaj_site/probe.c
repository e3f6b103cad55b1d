/* What the site's tests run in pods: one static program with a word for each thing to try. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void leave(int signal_number) {
	(void)signal_number;
	_exit(0);
}

static int fail(const char *what) {
	perror(what);
	return 1;
}

static int hold(const char *text) {
	signal(SIGTERM, leave);
	puts(text);
	fflush(stdout);
	for (;;)
		pause();
}

/* Answers every HTTP request on `port` with `text`. */
static int serve(const char *port, const char *text) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	signal(SIGTERM, leave);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 64) < 0)
		return fail("listen");
	for (;;) {
		char request[4096];
		int one = accept(listener, NULL, NULL);
		if (one < 0 || read(one, request, sizeof request) < 0)
			continue;
		dprintf(one, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(text), text);
		close(one);
	}
}

static int look_up(const char *name, struct sockaddr_in *found) {
	struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	int error = getaddrinfo(name, NULL, &wanted, &list);
	if (error != 0) {
		fprintf(stderr, "%s: %s\n", name, gai_strerror(error));
		return 1;
	}
	*found = *(struct sockaddr_in *)(void *)list->ai_addr;
	freeaddrinfo(list);
	return 0;
}

static int resolve(const char *name) {
	struct sockaddr_in found;
	if (look_up(name, &found) != 0)
		return 1;
	puts(inet_ntoa(found.sin_addr));
	return 0;
}

static int get(const char *host, const char *port) {
	struct sockaddr_in to;
	char buffer[4096];
	ssize_t count;
	int one = socket(AF_INET, SOCK_STREAM, 0);
	if (look_up(host, &to) != 0)
		return 1;
	to.sin_port = htons((unsigned short)atoi(port));
	alarm(10);
	if (connect(one, (struct sockaddr *)&to, sizeof to) < 0)
		return fail("connect");
	dprintf(one, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	while ((count = read(one, buffer, sizeof buffer)) > 0)
		fwrite(buffer, 1, (size_t)count, stdout);
	return 0;
}

static int copy(FILE *from) {
	int c;
	if (from == NULL)
		return fail("open");
	while ((c = getc(from)) != EOF)
		putchar(c);
	return 0;
}

static int store(const char *path, const char *text) {
	FILE *to = fopen(path, "w");
	if (to == NULL || fputs(text, to) < 0 || fclose(to) != 0)
		return fail(path);
	return 0;
}

/* KEYCTL_GET_KEYRING_ID of the session's keyring: harmless, and not in the default system call filter. */
static int keyring(void) {
	long id = syscall(SYS_keyctl, 0, -3, 0);
	puts(id == -1 && errno == EPERM ? "refused" : "allowed");
	return 0;
}

int main(int count, char **word) {
	if (count == 3 && strcmp(word[1], "hold") == 0)
		return hold(word[2]);
	if (count == 4 && strcmp(word[1], "serve") == 0)
		return serve(word[2], word[3]);
	if (count == 3 && strcmp(word[1], "resolve") == 0)
		return resolve(word[2]);
	if (count == 4 && strcmp(word[1], "get") == 0)
		return get(word[2], word[3]);
	if (count == 3 && strcmp(word[1], "read") == 0)
		return copy(fopen(word[2], "r"));
	if (count == 4 && strcmp(word[1], "write") == 0)
		return store(word[2], word[3]);
	if (count == 2 && strcmp(word[1], "keyring") == 0)
		return keyring();
	fprintf(stderr, "probe: unknown words\n");
	return 2;
}

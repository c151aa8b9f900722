// Command loader asks services from inside the cluster, as pods do, and keeps a
// record of every answer:
//
//	loader -new URL -news 50 -keep URL -keeps 20 -timeout 20s
//
// makes 50 requests a second to the first, each on a connection of its own, and 20
// to the second from 20 clients that keep theirs. /report on port 8080 is the
// record, as JSON (package record).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/devtun/devtun/e2e/loader/record"
)

func main() {
	fresh := flag.String("new", "", "`URL` to ask on new connections")
	news := flag.Int("news", 50, "requests a second on new connections")
	keep := flag.String("keep", "", "`URL` to ask on kept connections")
	keeps := flag.Int("keeps", 20, "clients that keep their connection, each of which asks once a second")
	timeout := flag.Duration("timeout", 20*time.Second, "for one request: longer than what may hold one up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()

	l := &loader{}
	server := &http.Server{Addr: ":8080", Handler: l}
	context.AfterFunc(ctx, func() { server.Close() })
	var working sync.WaitGroup
	working.Go(func() {
		client := clientThat(false, *timeout)
		every(ctx, time.Second/time.Duration(*news), func() { working.Go(func() { l.ask(client, *fresh, false) }) })
	})
	for n := range *keeps {
		working.Go(func() {
			client := clientThat(true, *timeout)
			select { // not all at the same moment
			case <-time.After(time.Duration(n) * time.Second / time.Duration(*keeps)):
			case <-ctx.Done():
			}
			every(ctx, time.Second, func() { l.ask(client, *keep, true) })
		})
	}
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	working.Wait()
}

func every(ctx context.Context, period time.Duration, act func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			act()
		case <-ctx.Done():
			return
		}
	}
}

func clientThat(keeps bool, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: timeout / 2}).DialContext,
		DisableKeepAlives:   !keeps,
		MaxIdleConnsPerHost: 1,
	}}
}

type loader struct {
	mu  sync.Mutex
	all []record.Answer
}

// ask makes one request.
func (l *loader) ask(client *http.Client, url string, kept bool) {
	answer := record.Answer{At: time.Now(), Kept: kept}
	answer.Said, answer.Failed = get(client, url)
	answer.Took = time.Since(answer.At)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, answer)
}

// get has a body that cannot be had again, so that the client does not try again
// by itself what was lost.
func get(client *http.Client, url string) (said, failed string) {
	request, err := http.NewRequest(http.MethodGet, url, io.NopCloser(strings.NewReader("ask")))
	if err != nil {
		return "", err.Error()
	}
	request.ContentLength = int64(len("ask"))
	response, err := client.Do(request)
	if err != nil {
		return "", err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err.Error()
	}
	if response.StatusCode != http.StatusOK {
		return "", response.Status + ": " + string(body)
	}
	return string(body), ""
}

// ServeHTTP hands over what was recorded since the last time.
func (l *loader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	answers := l.all
	l.all = nil
	l.mu.Unlock()
	_ = json.NewEncoder(w).Encode(record.Report{Now: time.Now(), Answers: answers})
}

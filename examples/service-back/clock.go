package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"time"
)

// tellTime answers each datagram with the time, and who says it, until the process ends.
func tellTime(conn net.PacketConn, name string) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	asked := make([]byte, 512)
	for {
		_, from, err := conn.ReadFrom(asked)
		if err != nil {
			log.Printf("clock: %v", err)
			return
		}
		now := fmt.Sprintf("%s %s on %s\n", time.Now().UTC().Format(time.RFC3339), name, host)
		if _, err := conn.WriteTo([]byte(now), from); err != nil {
			log.Printf("clock: answer %v: %v", from, err)
		}
	}
}

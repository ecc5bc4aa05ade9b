package main

import (
	"encoding/binary"
	"math"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// Promise: pion's path is what the row says: vnet carries the whole rate, delays by half the round trip, and loses as much as it should.
func TestVNetIsThePath(t *testing.T) {
	for _, p := range []path{{rtt: 20 * ms, rate: 1e9}, {rtt: 100 * ms, rate: 100e6}, {rtt: 20 * ms, rate: 1e9, loss: 0.01}} {
		synctest.Test(t, func(t *testing.T) {
			nets, end, err := p.vnet()
			if err != nil {
				t.Fatal(err)
			}
			var conns [2]net.PacketConn
			for side, n := range nets {
				if conns[side], err = n.ListenPacket("udp4", []string{"192.0.2.1:1000", "192.0.2.2:1000"}[side]); err != nil {
					t.Fatal(err)
				}
			}
			const size, count = 1200, 20_000
			least, got := time.Hour, 0
			received := make(chan struct{})
			go func() {
				defer close(received)
				for b := make([]byte, size); ; got++ {
					if _, _, err := conns[answerer].ReadFrom(b); err != nil {
						return
					}
					least = min(least, time.Duration(time.Now().UnixNano()-int64(binary.BigEndian.Uint64(b))))
				}
			}()
			// Nine tenths of the rate arrive; half as much again does not.
			begin, to := time.Now(), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 1000}
			send := func(share float64) (arrived float64) {
				before := got
				b := make([]byte, size)
				interval := time.Duration(float64(size*8*time.Second) / (share * float64(p.rate)))
				for range count {
					binary.BigEndian.PutUint64(b, uint64(time.Now().UnixNano()))
					if _, err := conns[offerer].WriteTo(b, to); err != nil {
						t.Fatal(err)
					}
					time.Sleep(interval) // the rate, in the bubble's virtual time
				}
				time.Sleep(time.Second) // virtual too: more than the queue and the path hold back
				synctest.Wait()
				return float64(got-before) / count
			}
			if arrived := send(0.9); math.Abs(arrived-(1-p.loss)) > 0.003 {
				t.Errorf("%+v: %.4f of the datagrams arrive", p, arrived)
			}
			if late := least - p.rtt/2; late < 0 || late > ms {
				t.Errorf("%+v: a datagram takes %v", p, least)
			}
			// The queue holds one bandwidth-delay product besides.
			most := (1 + float64(p.queue())/(size*count)) / 1.5
			if arrived := send(1.5); arrived > most+0.1 || arrived < 0.6*(1-p.loss) {
				t.Errorf("%+v: %.4f of half too much arrive, in %v", p, arrived, time.Since(begin))
			}
			for _, c := range conns {
				c.Close()
			}
			<-received
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Promise: a simulated flow on a path that loses nothing is measured the same each time, whatever the machine does.
func TestThroughputReproduces(t *testing.T) {
	flow := throughput{path{rtt: 20 * ms, rate: 100e6}}
	first, err := flow.measure(measurement{"sansrtc", true})
	if err != nil {
		t.Fatal(err)
	}
	again, err := flow.measure(measurement{"sansrtc", true})
	if err != nil {
		t.Fatal(err)
	}
	if first["Mbit/s"] <= 0 || first["Mbit/s"] > 100 || first["Mbit/s"] != again["Mbit/s"] {
		t.Errorf("%v, then %v", first, again)
	}
}

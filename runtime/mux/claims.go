package mux

import "sync"

// maxClaims is how many username fragments a socket keeps: each ICE restart brings one, and that of the generation before is in use until the
// new one has a pair. Then the oldest is given up.
const maxClaims = 4

// claims says which socket a username fragment is of.
type claims struct {
	mu    sync.RWMutex
	owner map[string]*socket
}

func (c *claims) init() { c.owner = map[string]*socket{} }

func (c *claims) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.owner)
}

// lookup finds the socket that has claimed ufrag.
func (c *claims) lookup(ufrag []byte) *socket {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.owner[string(ufrag)]
}

// claim gives ufrag to s, which is open.
func (c *claims) claim(s *socket, ufrag string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch o := c.owner[ufrag]; {
	case o == s:
		return nil
	case o != nil:
		return ErrUfragTaken
	}
	if len(s.ufrags) == maxClaims {
		delete(c.owner, s.ufrags[0])
		s.ufrags = append(s.ufrags[:0], s.ufrags[1:]...)
	}
	s.ufrags = append(s.ufrags, ufrag)
	c.owner[ufrag] = s
	return nil
}

// has tells whether s has claimed anything.
func (c *claims) has(s *socket) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(s.ufrags) > 0
}

// drop gives up all that s has claimed.
func (c *claims) drop(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range s.ufrags {
		delete(c.owner, u)
	}
	s.ufrags = nil
}

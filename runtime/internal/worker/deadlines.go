package worker

// deadlines is a heap of hosts by the time at which they want to be looked at. Most Turns ask for a time that is a little later than the one
// before; then the entry stays as it is, and is put right when its time comes. So a packet costs no work here, and the heap moves once
// for each deadline that passes.
//
// Each host knows where it is: host.slot is its index plus one, 0 if it has no entry.
type deadlines []deadline

type deadline struct {
	at   int64
	host *Host
}

// arity 4: half as many levels as 2, and the children of a node share a cache line.
const arity = 4

// set gives h an entry at a time no later than at, and not much earlier.
func (d *deadlines) set(h *Host, at int64) {
	if h.slot == 0 {
		*d = append(*d, deadline{at, h})
		h.slot = len(*d)
	} else if e := &(*d)[h.slot-1]; at < e.at {
		e.at = at
	} else if at-e.at > int64(littleEarly) {
		e.at = at
		d.down(h.slot - 1)
		return
	} else {
		return
	}
	d.up(h.slot - 1)
}

// remove takes h's entry away, if it has one.
func (d *deadlines) remove(h *Host) {
	i := h.slot - 1
	if i < 0 {
		return
	}
	h.slot = 0
	all := *d
	last := len(all) - 1
	moved := all[last]
	all[last] = deadline{}
	*d = all[:last]
	if i == last {
		return
	}
	d.put(i, moved)
	d.down(i)
	d.up(moved.host.slot - 1)
}

func (d deadlines) put(i int, e deadline) {
	d[i] = e
	e.host.slot = i + 1
}

func (d deadlines) up(i int) {
	e := d[i]
	for i > 0 {
		parent := (i - 1) / arity
		if d[parent].at <= e.at {
			break
		}
		d.put(i, d[parent])
		i = parent
	}
	d.put(i, e)
}

func (d deadlines) down(i int) {
	e := d[i]
	for {
		least := i
		at := e.at
		for c := i*arity + 1; c <= i*arity+arity && c < len(d); c++ {
			if d[c].at < at {
				least, at = c, d[c].at
			}
		}
		if least == i {
			break
		}
		d.put(i, d[least])
		i = least
	}
	d.put(i, e)
}

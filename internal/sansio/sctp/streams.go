package sctp

// table holds a T for each stream that was used, in pages that never move. Streams of WebRTC are numbered from 0, so the list of pages is
// as short as the highest number allows.
type table[T any] struct {
	pages []*[pageSize]T
}

// pageSize is small since most associations have one or two streams.
const pageSize = 2

// get returns nil when the page of id was never used.
func (t *table[T]) get(id StreamID) *T {
	if i := int(id) / pageSize; i < len(t.pages) && t.pages[i] != nil {
		return &t.pages[i][id%pageSize]
	}
	return nil
}

func (t *table[T]) make(id StreamID) *T {
	i := int(id) / pageSize
	if i >= len(t.pages) {
		t.pages = append(t.pages, make([]*[pageSize]T, i+1-len(t.pages))...)
	}
	if t.pages[i] == nil {
		t.pages[i] = new([pageSize]T)
	}
	return &t.pages[i][id%pageSize]
}

// each calls f for all that have a page, in order.
func (t *table[T]) each(f func(StreamID, *T)) {
	for i, p := range t.pages {
		if p != nil {
			for j := range p {
				f(StreamID(i*pageSize+j), &p[j])
			}
		}
	}
}

// Package channel is the data channels of one SCTP association.
package channel

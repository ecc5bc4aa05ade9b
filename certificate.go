package rtc

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc/internal/sansio/peer"
	"github.com/sansrtc/rtc/runtime"
)

// certificateLifetime is W3C's default for generateCertificate: "the user agent uses a default of 30 days".
const certificateLifetime = 30 * 24 * time.Hour

func generateCertificate(rt runtime.Runtime) (*Certificate, error) {
	now := rt.Now()
	c, err := peer.GenerateCertificate(rt.Rand(), now, now.Add(certificateLifetime))
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		return nil, err
	}
	out := webrtc.CertificateFromX509(c.PrivateKey, leaf)
	return &out, nil
}

// coreCertificate takes a pion certificate apart; PEM is the only way into it.
func coreCertificate(c *Certificate) (out peer.Certificate, err error) {
	text, err := c.PEM()
	if err != nil {
		return out, fmt.Errorf("rtc: certificate: %w", err)
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			out.Chain = append(out.Chain, block.Bytes)
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return out, fmt.Errorf("rtc: certificate: %w", err)
			}
			out.PrivateKey, _ = key.(crypto.Signer)
		}
	}
	if len(out.Chain) == 0 || out.PrivateKey == nil {
		return out, errors.New("rtc: certificate lacks its chain or its private key")
	}
	return out, nil
}

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

// certificateLifetime is W3C's default for generateCertificate: "the certificate will by default expire in 30 days".
const certificateLifetime = 30 * 24 * time.Hour

func generateKey(rt runtime.Runtime) (peer.Certificate, error) {
	now := rt.Now()
	return peer.GenerateCertificate(rt.Rand(), now, now.Add(certificateLifetime))
}

// pionCertificate puts a certificate together as pion has it.
func pionCertificate(key peer.Certificate) (c Certificate, err error) {
	leaf, err := x509.ParseCertificate(key.Chain[0])
	if err != nil {
		return c, err
	}
	return webrtc.CertificateFromX509(key.PrivateKey, leaf), nil
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
	if err := out.Check(); err != nil {
		return out, fmt.Errorf("rtc: certificate %w", err)
	}
	return out, nil
}

// call offers what pc has to the program, and applies its answer. params become the query of the request.
export async function call(pc, params = {}) {
  // Its end tells the program that the page has gone.
  pc.createDataChannel('alive', { negotiated: true, id: 1000 });
  addEventListener('pagehide', () => pc.close());
  await pc.setLocalDescription();
  await gathered(pc);
  const response = await fetch('/offer?' + new URLSearchParams(params), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(pc.localDescription),
  });
  if (!response.ok) {
    throw new Error(await response.text());
  }
  await pc.setRemoteDescription(await response.json());
}

// gathered waits for the candidates, but not for long: the program finds the page by its checks, too.
function gathered(pc) {
  return new Promise((resolve) => {
    const done = () => pc.iceGatheringState === 'complete' && resolve();
    pc.addEventListener('icegatheringstatechange', done);
    setTimeout(resolve, 500);
    done();
  });
}

// prefer puts a codec ("video/VP9") first in what transceiver offers.
export function prefer(transceiver, mimeType) {
  const codecs = RTCRtpReceiver.getCapabilities(mimeType.split('/')[0]).codecs;
  const is = (codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase();
  transceiver.setCodecPreferences([...codecs.filter(is), ...codecs.filter((codec) => !is(codec))]);
}

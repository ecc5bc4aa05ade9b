"use strict";
// What peer.html does with media. Pictures are numbers: each frame of counting() shows how many came before it, in a grid of black and white
// fields that every codec keeps at any size. So whoever sees a received picture knows which one was sent.

const columns = 4, rows = 3;
let pictures = 0; // were made, by all tracks of the page

// counting is a video track whose frames are numbered, and have so many flakes of noise.
function counting(width, height, fps, noise = 0) {
	const track = new MediaStreamTrackGenerator({kind: "video"});
	const writer = track.writable.getWriter();
	const canvas = new OffscreenCanvas(width, height);
	const g = canvas.getContext("2d", {willReadFrequently: true});
	const timer = setInterval(() => {
		if (track.readyState === "ended") return clearInterval(timer);
		const n = ++pictures;
		for (let bit = 0; bit < columns * rows; bit++) {
			g.fillStyle = n >> bit & 1 ? "white" : "black";
			g.fillRect(bit % columns * width / columns, Math.floor(bit / columns) * height / rows, width / columns, height / rows);
		}
		for (let i = 0; i < noise; i++) {
			g.fillStyle = `rgb(128 128 128 / ${Math.random() / 7})`;
			g.fillRect(Math.random() * width, Math.random() * height, 8, 8);
		}
		const frame = new VideoFrame(canvas, {timestamp: performance.now() * 1000});
		writer.write(frame).catch(() => clearInterval(timer));
	}, 1000 / fps);
	return track;
}

const reader = new OffscreenCanvas(columns * 8, rows * 8).getContext("2d", {willReadFrequently: true});

// number is what the picture that a video element shows now says; -1: none can be read.
function number(video) {
	if (!video.videoWidth) return -1;
	reader.drawImage(video, 0, 0, columns * 8, rows * 8);
	let n = 0;
	for (let bit = 0; bit < columns * rows; bit++) {
		const [r, green, b] = reader.getImageData(bit % columns * 8 + 4, Math.floor(bit / columns) * 8 + 4, 1, 1).data;
		const light = (r + green + b) / 3;
		if (light > 80 && light < 175) return -1;
		if (light >= 175) n |= 1 << bit;
	}
	return n;
}

// hum is an audio track that is never silent.
function hum() {
	const context = new AudioContext();
	const oscillator = new OscillatorNode(context, {frequency: 440});
	const out = context.createMediaStreamDestination();
	oscillator.connect(out);
	oscillator.start();
	return out.stream.getAudioTracks()[0];
}

// camera is the stream of Chromium's fake devices: a picture that moves, and beeps.
const camera = (audio, video) => navigator.mediaDevices.getUserMedia({audio, video});

let tracks, shown;

// startMedia is start for a connection with media. What it receives is shown, by mid.
function startMedia(configuration) {
	start(configuration);
	tracks = new Mailbox();
	shown = {};
	pc.ontrack = e => {
		const mid = e.transceiver.mid;
		tracks.put({mid, kind: e.track.kind, streams: e.streams.map(s => s.id), id: e.track.id});
		show(mid, e.track);
		e.track.onmute = () => log.push(`${mid} muted`);
		e.track.onunmute = () => log.push(`${mid} unmuted`);
	};
}

// log is what happened to received tracks.
const log = [];

function show(name, track) {
	if (shown[name]?.srcObject.getTracks()[0] === track) return; // it comes again after a while without
	shown[name]?.remove();
	const element = shown[name] = document.createElement(track.kind);
	Object.assign(element, {autoplay: true, muted: track.kind === "video", playsInline: true, controls: track.kind === "audio", title: name});
	element.srcObject = new MediaStream([track]);
	document.body.append(element);
}

// transceiver is found by its mid.
const transceiver = mid => pc.getTransceivers().find(t => t.mid === mid);

// prefer puts a codec first, and leaves out the other ones but for what repairs them.
function prefer(t, mime, fmtp) {
	const all = RTCRtpReceiver.getCapabilities(mime.split("/")[0]).codecs;
	const same = all.filter(c => c.mimeType.toLowerCase() === mime.toLowerCase() && (!fmtp || c.sdpFmtpLine?.includes(fmtp)));
	if (same.length) t.setCodecPreferences([...same, ...all.filter(c => /\/(rtx|red|ulpfec)$/i.test(c.mimeType))]);
	return same.length > 0;
}

// inbound is getStats' record of what a section receives, with the codec's in it; null while there is none.
async function inbound(mid) {
	const stats = await transceiver(mid).receiver.getStats();
	for (const s of stats.values()) if (s.type === "inbound-rtp") return {...s, mimeType: stats.get(s.codecId)?.mimeType};
	return null;
}

// outbound are getStats' records of what a section sends, by rid.
async function outbound(mid) {
	const stats = await transceiver(mid).sender.getStats();
	return [...stats.values()].filter(s => s.type === "outbound-rtp")
		.map(s => ({...s, mimeType: stats.get(s.codecId)?.mimeType, remote: stats.get(s.remoteId)}))
		.sort((a, b) => (a.rid ?? "").localeCompare(b.rid ?? ""));
}

// record waits for getStats' record of a type and kind in which a number is not zero.
const record = (type, kind, number) => eventually(async () => {
	for (const s of (await pc.getStats()).values()) if (s.type === type && s.kind === kind && s[number]) return s;
	return null;
});

// eventually asks until what comes is not null.
async function eventually(ask) {
	for (;;) {
		const got = await ask();
		if (got != null) return got;
		await new Promise(resolve => setTimeout(resolve, 30));
	}
}

// plays waits until a section has decoded so many more frames, and the element shows numbers that grow. It says what is seen in the end.
async function plays(mid, frames, counted = true) {
	const begin = (await inbound(mid))?.framesDecoded ?? 0;
	let last = -1, seen = 0, first;
	return eventually(async () => {
		const n = number(shown[mid]);
		if (n >= 0 && n !== last) {
			// One that is smaller than what was seen before is either an older picture, or the counter has wrapped.
			if (n < last && last - n < 2048) throw new Error(`picture ${n} after ${last}`);
			first ??= n;
			last = n;
			seen++;
		}
		const s = await inbound(mid);
		if (!s || s.framesDecoded < begin + frames || counted && seen < Math.min(frames, 5)) return null;
		return {frames: s.framesDecoded - begin, pictures: seen, first, last, width: s.frameWidth, height: s.frameHeight, codec: s.mimeType};
	});
}

// moves waits until so many different pictures of any kind were shown, such as those of a camera.
async function moves(mid, pictures) {
	const seen = new Set();
	return eventually(async () => {
		const video = shown[mid];
		if (!video.videoWidth) return null;
		reader.drawImage(video, 0, 0, columns * 8, rows * 8);
		seen.add(reader.getImageData(0, 0, columns * 8, rows * 8).data.join());
		return seen.size >= pictures ? seen.size : null;
	});
}

// sounds waits until a section has played so many more samples that came, and gives the pitch that is loudest in them, in Hz.
async function sounds(mid, samples) {
	const context = new AudioContext();
	const analyser = new AnalyserNode(context, {fftSize: 4096});
	context.createMediaStreamSource(shown[mid].srcObject).connect(analyser);
	const begin = await eventually(() => inbound(mid));
	const heard = await eventually(async () => {
		const s = await inbound(mid);
		const got = s.totalSamplesReceived - s.concealedSamples - begin.totalSamplesReceived + begin.concealedSamples;
		if (got < samples || s.totalAudioEnergy <= begin.totalAudioEnergy) return null;
		const loud = new Uint8Array(analyser.frequencyBinCount);
		analyser.getByteFrequencyData(loud);
		const peak = loud.indexOf(Math.max(...loud));
		if (loud[peak] === 0) return null;
		return {samples: got, pitch: peak * context.sampleRate / analyser.fftSize, codec: s.mimeType};
	});
	context.close();
	return heard;
}

// picture is what an element shows, as a PNG in base64.
function picture(mid) {
	const video = shown[mid];
	const canvas = document.createElement("canvas");
	canvas.width = video.videoWidth;
	canvas.height = video.videoHeight;
	canvas.getContext("2d").drawImage(video, 0, 0);
	return canvas.toDataURL("image/png").split(",")[1];
}

// The page's side of W3C's perfect negotiation (webrtc-pc section 10.7).
let signals, polite, makingOffer, ignoreOffer, answering;

function perfect(isPolite) {
	signals = new Mailbox();
	polite = isPolite;
	makingOffer = ignoreOffer = answering = false;
	pc.onnegotiationneeded = async () => {
		makingOffer = true;
		await pc.setLocalDescription();
		signals.put({description: pc.localDescription.toJSON()});
		makingOffer = false;
	};
	pc.onicecandidate = e => { if (e.candidate) signals.put({candidate: e.candidate.toJSON()}); };
}

async function signalled({description}) {
	const collision = description.type === "offer" && (makingOffer || !(pc.signalingState === "stable" || answering));
	ignoreOffer = collision && !polite;
	if (ignoreOffer) return;
	answering = description.type === "answer";
	await pc.setRemoteDescription(description);
	answering = false;
	if (description.type === "offer") {
		await pc.setLocalDescription();
		signals.put({description: pc.localDescription.toJSON()});
	}
}

// signalsOfPage is what the page has to say, as soon as there is something, or nothing after a while.
async function signalsOfPage() {
	for (const late = performance.now() + 1000; !signals.kept.length && performance.now() < late;) await new Promise(resolve => setTimeout(resolve, 2));
	return signals.kept.splice(0);
}

// doing is what is going on after a moment: nothing, when that is empty.
async function doing() {
	await new Promise(resolve => setTimeout(resolve, 30));
	if (pc.signalingState !== "stable") return pc.signalingState;
	if (makingOffer) return "making an offer";
	return signals.kept.length ? "about to say something" : "";
}

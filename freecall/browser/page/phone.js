// A phone in the browser: one WebSocket to the node for words, WebRTC to the node for sound.
"use strict";

const MAX_LOG = 500;
const GATHER_MS = 500; // there is no server to ask: what this computer has is known at once

class Phone extends EventTarget {
  constructor(token) {
    super();
    this.microphone = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    this.configuration = { bundlePolicy: "max-compat" };
    this.calls = new Map();
    this.log = [];
    this.numbers = 0;
    this.socket = new WebSocket(`ws://${location.host}/phone`, ["freecall.v1", `token.${token}`]);
    this.socket.onmessage = (message) => this.hear(JSON.parse(message.data));
    this.socket.onclose = (close) => {
      this.tell({ is: "closed", reason: close.reason || "The node is gone, or this page's address is not its own." });
      for (const id of [...this.calls.keys()]) this.drop(id);
    };
  }

  say(wish) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(wish));
  }

  tell(news) {
    this.log.push(news);
    if (this.log.length > MAX_LOG) this.log.shift();
    this.dispatchEvent(new CustomEvent("news", { detail: news }));
  }

  async connection(id) {
    const sound = await navigator.mediaDevices.getUserMedia({ audio: this.microphone });
    const peer = new RTCPeerConnection(this.configuration);
    const call = { id, peer, sound, heard: null };
    peer.ontrack = (event) => {
      call.heard = new MediaStream([event.track]);
      this.tell({ is: "track", id });
    };
    this.calls.set(id, call);
    this.prepare?.(call);
    return call;
  }

  async gathered(peer) {
    if (peer.iceGatheringState !== "complete")
      await new Promise((resolve) => {
        peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
        setTimeout(resolve, GATHER_MS);
      });
    return peer.localDescription.sdp;
  }

  async call(uri) {
    const id = `p${++this.numbers}`;
    const { peer, sound } = await this.connection(id);
    for (const track of sound.getTracks()) peer.addTrack(track, sound);
    await peer.setLocalDescription();
    this.say({ do: "call", id, uri, sdp: await this.gathered(peer) });
    return id;
  }

  async answer(id) {
    const { sdp } = this.log.find((news) => news.is === "incoming" && news.id === id);
    const { peer, sound } = await this.connection(id);
    await peer.setRemoteDescription({ type: "offer", sdp });
    for (const track of sound.getTracks()) peer.addTrack(track, sound);
    await peer.setLocalDescription();
    this.say({ do: "answer", id, sdp: await this.gathered(peer) });
  }

  hangUp(id) {
    this.say({ do: this.calls.has(id) ? "hang_up" : "decline", id });
    this.drop(id);
  }

  async hold(id, isHeld) {
    const { peer } = this.calls.get(id);
    for (const each of peer.getTransceivers()) each.direction = isHeld ? "sendonly" : "sendrecv";
    await peer.setLocalDescription();
    this.say({ do: "change", id, sdp: await this.gathered(peer) });
  }

  press(id, keys) {
    const sender = this.calls.get(id).peer.getSenders().find((each) => each.dtmf);
    sender.dtmf.insertDTMF(keys, 120, 80);
  }

  drop(id) {
    const call = this.calls.get(id);
    if (!call) return;
    this.calls.delete(id);
    for (const track of call.sound.getTracks()) track.stop();
    call.peer.close();
  }

  async hear(news) {
    const peer = this.calls.get(news.id)?.peer;
    if (["answered", "changed"].includes(news.is) && peer) await peer.setRemoteDescription({ type: "answer", sdp: news.sdp });
    if (news.is === "unchanged" && peer) await peer.setLocalDescription({ type: "rollback" });
    if (news.is === "offer" && peer) {
      await peer.setRemoteDescription({ type: "offer", sdp: news.sdp });
      await peer.setLocalDescription();
      this.say({ do: "answer", id: news.id, sdp: await this.gathered(peer) });
    }
    if (news.is === "ended") this.drop(news.id);
    this.tell(news);
  }
}

const show = (id, text) => { document.getElementById(id).textContent = text; };

function operate(phone) {
  let current = null;
  const sentences = {
    ready: (news) => { show("me", news.uri.replace("sip:", "")); return "Ready."; },
    incoming: (news) => { current = news.id; return `${news.name} (${news.uri.replace("sip:", "")}, ${news.trust}) is calling.`; },
    peer: (news) => `Calling ${news.uri.replace("sip:", "")} (${news.trust === "plain" ? "NOT ENCRYPTED" : news.trust}) …`,
    progress: () => "It rings there.",
    answered: () => "Connected.",
    ended: (news) => { show("words", ""); return `Ended: ${news.reason}`; },
    closed: (news) => news.reason,
  };
  phone.addEventListener("news", ({ detail: news }) => {
    const sentence = sentences[news.is]?.(news);
    if (sentence) show("state", sentence);
    if (news.is === "track") document.getElementById("ear").srcObject = phone.calls.get(news.id).heard;
    if (news.is === "event" && news.event === "call_secured" && news.words) show("words", news.words.join(" "));
  });
  document.getElementById("dial").onsubmit = async (submit) => {
    submit.preventDefault();
    current = await phone.call(document.getElementById("uri").value);
  };
  document.getElementById("answer").onclick = () => current && phone.answer(current);
  document.getElementById("hang-up").onclick = () => current && phone.hangUp(current);
  for (const key of "123456789*0#") {
    const button = document.createElement("button");
    button.textContent = key;
    button.onclick = () => current && phone.press(current, key);
    document.getElementById("keys").append(button, " ");
  }
}

const token = location.hash.slice(1) || sessionStorage.getItem("token") || "";
sessionStorage.setItem("token", token); // so that the page can be loaded again
history.replaceState(null, "", "/"); // and is not in the address bar for who looks over a shoulder
globalThis.phone = new Phone(token);
operate(globalThis.phone);

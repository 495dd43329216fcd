// Server-sent events read by fetch, so that a token goes in a header and never into an address.
// A stream is opened again when it breaks, and closed while the page is hidden.

const KEPT = "hedgerow.token";
const HIDDEN_SECONDS = 20;
const LONGEST_WAIT = 10;

export const keepToken = (token) => sessionStorage.setItem(KEPT, token);
const authorization = () => {
  const token = sessionStorage.getItem(KEPT);
  return token ? { Authorization: `Bearer ${token}` } : {};
};

export class Stream {
  /** handlers: a function by event name; say: {refused(shown), broken(), whole()}. */
  constructor(path, handlers, say) {
    Object.assign(this, { path, handlers, say, wait: 1, ended: false });
    this.onVisible = () => this.visibility();
    document.addEventListener("visibilitychange", this.onVisible);
    this.open();
  }

  close() {
    this.ended = true;
    document.removeEventListener("visibilitychange", this.onVisible);
    clearTimeout(this.timer);
    this.aborter?.abort();
  }

  visibility() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => {
        this.asleep = true;
        clearTimeout(this.timer);
        this.aborter?.abort();
      }, HIDDEN_SECONDS * 1000);
    } else if (this.asleep) {
      this.asleep = false;
      this.open();
    }
  }

  async open() {
    clearTimeout(this.timer);
    this.aborter?.abort();
    const aborter = (this.aborter = new AbortController());
    try {
      const response = await fetch(this.path, { headers: authorization(), cache: "no-store", signal: aborter.signal });
      if (response.status === 401) {
        this.say.refused(Boolean(sessionStorage.getItem(KEPT)));
        return;
      }
      if (!response.ok) throw new Error(`the worker answers ${response.status}`);
      this.wait = 1;
      this.say.whole();
      for await (const [name, data] of events(response.body)) {
        if (aborter.signal.aborted) return; // what was under way when it was closed is of another series
        this.handlers[name]?.(data);
      }
    } catch (error) {
      if (aborter.signal.aborted) return;
    }
    if (this.ended || this.asleep || aborter !== this.aborter) return;
    this.say.broken();
    this.timer = setTimeout(() => this.open(), this.wait * 1000);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      let name = "message";
      let data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (data) yield [name, JSON.parse(data)];
    }
  }
}

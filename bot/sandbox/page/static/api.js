// Talking to the sandbox: what the user does goes out, what changes comes in.

const SHORTEST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 5000;

/** Do something as the user; the error's message is one line. */
export function act(name, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return ask(`act/${name}`, options);
}

/** Read something; `query` are the parameters. */
export function read(name, query = {}) {
  return ask(`${name}?${new URLSearchParams(query)}`);
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The sandbox can't be reached: is it still running?");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  if (response.status === 404) throw new Error("This page's address is no longer valid: open the new one.");
  throw new Error(body?.error ?? `The sandbox answered ${response.status} ${response.statusText}.`);
}

/** Listen to a channel as a user until the returned function is called; comes back by itself. */
export function listen(query, onEvent, onConnected) {
  let socket = null;
  let wait = SHORTEST_WAIT_MS;
  let timer = null;
  let done = false;
  const address = new URL("live", document.baseURI);
  address.protocol = "ws:";
  address.search = String(new URLSearchParams(query));
  const open = () => {
    socket = new WebSocket(address);
    socket.addEventListener("message", ({ data }) => {
      if (done) return;
      const event = JSON.parse(data);
      wait = SHORTEST_WAIT_MS;
      if (event.type === "snapshot") onConnected(true);
      // A channel that is gone stays gone: asking again would not bring it back.
      if (event.type === "gone") done = true;
      onEvent(event);
    });
    socket.addEventListener("close", () => {
      if (done) return;
      onConnected(false);
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    });
  };
  open();
  return () => {
    done = true;
    clearTimeout(timer);
    socket.close();
  };
}

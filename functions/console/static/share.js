// A link that holds a program: its request, compressed, in the part of the address that no browser sends.
import { ROOT } from "./api.js";
import { Component, html } from "./dom.js";
import { Action, Copy } from "./parts.js";

const MOST_LINK_CHARS = 32_000; // some browsers and most chats cut longer ones
const MOST_BYTES = 1_048_576; // of a request

class ShareError extends Error {
  status = 422;
}

/** All bytes of a stream. Throws ShareError above the limit: a short link may hold much. */
async function bytesOf(stream) {
  const parts = [];
  let size = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new ShareError("The program in this link is larger than 1 MB.");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const through = (bytes, stream) => bytesOf(new Blob([bytes]).stream().pipeThrough(stream));

/** The text of a request for a link. Throws ShareError if it is too long. */
async function pack(request) {
  const bytes = await through(new TextEncoder().encode(JSON.stringify(request)), new CompressionStream("deflate-raw"));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  if (base64.length > MOST_LINK_CHARS) {
    throw new ShareError(
      `The link would have ${base64.length.toLocaleString()} characters; browsers and chats cut links of more than ${MOST_LINK_CHARS.toLocaleString()}. Share the program as a file.`,
    );
  }
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The request of a link. Throws an Error with a sentence for the reader. */
export async function unpack(packed) {
  if (packed.length > MOST_LINK_CHARS) throw new ShareError("This link is too long to hold a program.");
  try {
    const bytes = Uint8Array.from(atob(packed.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
    const whole = await through(bytes, new DecompressionStream("deflate-raw"));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(whole));
  } catch (error) {
    if (error instanceof ShareError) throw error;
    throw new ShareError("This link holds no program. Perhaps it was cut: copy it again.");
  }
}

/** A button that makes the link of a request. */
export class Share extends Component {
  state = { url: null };

  make = async () => {
    const page = new URL(ROOT);
    page.hash = `#/run?share=${await pack(this.props.request)}`;
    this.setState({ url: page.href, request: this.props.request });
  };

  render({ request }, { url, request: shared }) {
    const isCurrent = url && JSON.stringify(shared) === JSON.stringify(request);
    return html`<${Action} kind="small" does=${this.make}>Share<//>
      ${
        isCurrent &&
        html`<span class="share" role="status"><label>Link <input type="text" readonly value=${url} onFocus=${(event) => event.target.select()} /></label>
        <${Copy} text=${url} /> <span class="quiet">It holds the program itself; no server keeps it.</span></span>`
      }`;
  }
}

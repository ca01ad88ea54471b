// The plugin's side of the Cellwall protocol, version 1. Numbers such as [P-42] are the rules of protocol.md.
//
// Everything runs on Node's one event loop: lines are handled in the order in which they come, and an answer
// that waits (for credit, for a key) keeps nobody from reading on [P-23]. Node writes to a pipe without waiting,
// too, so the plugin can always be asked `ping` and told `$/cancel`.

import { createHash } from "node:crypto";
import { Console } from "node:console";

const PROTOCOL = 1;
const EARLY_LINE = 65_536; // bytes; the longest line before `initialize` is answered [P-11]
const MOST_CALLS = 16; // prompts that are answered at once; more are told that it is busy
const MOST_JUNK = 100; // lines that are no messages; the host tolerates as many [P-15]
const MOST_UNREAD = 16 << 20; // bytes of answers that a host which does not read may leave waiting
const LINES_AT_A_STRETCH = 32; // of one answer, before whatever has come in is read
const ENVELOPE = 128; // bytes of a data line beside its items, rounded up
const EXIT_HOST_BROKE_THE_PROTOCOL = 76; // [P-5]

const KINDS = {
  [-32600]: "InvalidRequest",
  [-32601]: "MethodNotFound",
  [-32602]: "InvalidParams",
  [-32603]: "InternalError",
  [-32800]: "Cancelled",
  1001: "NotInitialized",
  1002: "UnsupportedVersion",
  1008: "TooLarge",
  1009: "ShuttingDown",
  2001: "KeyMissing",
  2002: "KeyRejected",
  2003: "UnknownModel",
  2004: "RateLimited",
  2005: "Overloaded",
  2006: "ContextTooLong",
  2007: "Filtered",
  2008: "BadOptions",
  2009: "ProviderError",
};
const RETRYABLE = new Set([2004, 2005]);

/** An answer that is an error: a code of protocol.md, a sentence for the user, and more for `data`. */
export class Failure extends Error {
  constructor(code, message, data = {}) {
    super(message);
    this.code = code;
    this.data = { kind: KINDS[code], retryable: RETRYABLE.has(code), ...data };
  }
}

/** Speak the protocol on standard input and output until the host is done. */
export function serve(plugin) {
  // The wire is descriptor 1, so nothing else may write there: what is printed goes to the log [P-2].
  globalThis.console = new Console(process.stderr, process.stderr);
  const connection = new Connection(plugin);
  process.stdin.on("data", (chunk) => connection.receive(chunk));
  process.stdin.on("end", () => process.exit(0)); // the host is gone or done [P-4]
  process.on("unhandledRejection", (error) => console.error(error)); // a model forgot an `await`
  process.stdin.on("error", () => process.exit(0));
  process.stdout.on("error", () => process.exit(0));
}

function stop(why) {
  process.stderr.write(`the host broke the protocol: ${why}\n`);
  process.exit(EXIT_HOST_BROKE_THE_PROTOCOL);
}

// Half of a pair of UTF-16 units is no text; it must not be sent [P-14].
const LONE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

const tidy = (_, value) => (typeof value === "string" ? value.replace(LONE, "\uFFFD") : value);
const encode = (message) => JSON.stringify(message, tidy);

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isSize = (value) => Number.isSafeInteger(value) && value > 0;
const isRecordList = (value) => Array.isArray(value) && value.every(isObject);
const shown = (name) => String(name).slice(0, 80);

/** One connection: its state, its open calls, and the lines that wait to be written. */
class Connection {
  #plugin;
  #describe;
  #models;
  #state = "new"; // new, ready, closing
  #pieces = []; // of a line that is not complete
  #size = 0;
  #lineLimit = EARLY_LINE;
  #junk = 0;
  #lastId = 0; // of the host's requests
  #ownId = 0;
  #calls = new Map(); // the host's open prompts
  #asked = new Map(); // our own open requests
  #turn = []; // calls with data to send, in turn
  #isFull = false; // the pipe takes no more for now
  #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  dataLine = 65_536;

  constructor(plugin) {
    this.#plugin = plugin;
    this.#models = new Map(plugin.models.map((model) => [model.info.id, model]));
    const models = plugin.models.map((model) => model.info);
    const digest = createHash("sha256").update(JSON.stringify(models)).digest("hex");
    this.#describe = { digest, models }; // the same answer as long as the plugin is the same [P-66]
    process.stdout.on("drain", () => {
      this.#isFull = false;
      this.#pump();
    });
  }

  // -- reading ---------------------------------------------------------------------------------------------

  /** Take bytes, cut anywhere [P-10]; what is long is joined once, not piece by piece. */
  receive(chunk) {
    let start = 0;
    for (let end; (end = chunk.indexOf(10, start)) >= 0; start = end + 1) {
      this.#keep(chunk.subarray(start, end));
      const line = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#size = 0;
      this.#line(line);
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #keep(piece) {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#size += piece.length;
    const size = piece.at(-1) === 13 ? this.#size - 1 : this.#size; // a carriage return is not the line's [P-10]
    if (size > this.#lineLimit) stop(`a line is longer than ${this.#lineLimit} bytes`); // [P-11]
  }

  #line(bytes) {
    let message;
    try {
      const text = this.#utf8.decode(bytes);
      if (/^[ \t\r]*$/.test(text)) return; // [P-12]
      message = JSON.parse(text); // which takes a carriage return at the end for space
    } catch {
      return this.#junkLine();
    }
    if (Array.isArray(message)) return this.#refuse(null, -32600, "batches are not part of this protocol"); // [P-16]
    if (!isObject(message) || message.jsonrpc !== "2.0") return this.#junkLine();
    if (typeof message.method === "string") {
      if (message.id === undefined) return this.#notification(message);
      return this.#request(message);
    }
    if (message.result !== undefined || message.error !== undefined) return this.#answer(message);
    return this.#junkLine();
  }

  #junkLine() {
    this.#junk += 1;
    if (this.#junk > MOST_JUNK) stop("too many lines are no messages");
    console.error("a line that is no message was skipped"); // [P-15]
  }

  // -- the host's requests ---------------------------------------------------------------------------------

  #request({ id, method, params = {} }) {
    if (typeof id !== "string" || !/^h[1-9][0-9]{0,14}$/.test(id)) {
      return this.#refuse(typeof id === "string" ? shown(id) : null, -32600, "ids are strings like h1, h2"); // [P-21]
    }
    if (Number(id.slice(1)) <= this.#lastId) stop(`the id ${id} was used twice`);
    this.#lastId = Number(id.slice(1));
    if (this.#state === "closing") return this.#refuse(id, 1009, `${shown(method)} came after shutdown`); // [P-36]
    if (this.#state === "new" && method !== "initialize") {
      return this.#refuse(id, 1001, `${shown(method)} came before initialize was answered`); // [P-33]
    }
    if (!isObject(params)) return this.#refuse(id, -32602, "params must be an object");
    switch (method) {
      case "initialize":
        return this.#initialize(id, params);
      case "ping":
        return this.#reply(id, {}); // [P-48]
      case "plugin/describe":
        return this.#reply(id, this.#describe);
      case "model/prompt":
        return this.#prompt(id, params);
      case "shutdown":
        this.#state = "closing";
        return this.#reply(id, {});
      default:
        return this.#refuse(id, -32601, `there is no method ${shown(method)} here`); // [P-13]
    }
  }

  #initialize(id, { protocols, limits }) {
    if (this.#state !== "new") return this.#refuse(id, -32600, "initialize was answered already");
    if (!Array.isArray(protocols)) return this.#refuse(id, -32602, "initialize: protocols must be a list");
    if (!protocols.includes(PROTOCOL)) {
      const older = protocols.every((version) => version < PROTOCOL) ? "host" : "plugin"; // [P-32]
      const data = { supported: [PROTOCOL], requested: protocols.filter(Number.isInteger) };
      return this.#refuse(id, 1002, `this plugin speaks protocol ${PROTOCOL}; the ${older} is too old`, data);
    }
    this.#lineLimit = isSize(limits?.line) ? limits.line : 8 << 20;
    this.dataLine = Math.min(isSize(limits?.data_line) ? limits.data_line : 65_536, this.#lineLimit);
    this.#state = "ready";
    const { name, version } = this.#plugin;
    this.#reply(id, { protocol: PROTOCOL, plugin: { name, version }, limits: { concurrency: MOST_CALLS } });
  }

  #prompt(id, params) {
    const { model: name, messages, tools = [], options = {} } = params;
    const fits = isRecordList(messages) && messages.every(({ parts }) => isRecordList(parts)) && isRecordList(tools);
    if (!fits || !isObject(options) || typeof name !== "string") return this.#refuse(id, -32602, "model/prompt: the parameters do not fit");
    const model = this.#models.get(name);
    if (model === undefined) return this.#refuse(id, 2003, `there is no model ${shown(name)} in this plugin`);
    if (this.#calls.size >= MOST_CALLS) return this.#refuse(id, 2005, `${MOST_CALLS} prompts are being answered`);
    let values;
    try {
      values = readOptions(model.options, options);
    } catch (error) {
      return this.#refuse(id, 2008, error.message); // [P-64]
    }
    const call = new Call(this, id, { messages, tools, options: values }, params.meta?.credit);
    this.#calls.set(id, call);
    this.#run(model, call);
  }

  /** Let a model answer; whatever becomes of it, the call gets exactly one response [P-22]. */
  async #run(model, call) {
    let end;
    try {
      const result = await model.answer(call);
      await call.flush();
      end = { result: { ...result, items: call.sent } }; // [P-41]
    } catch (error) {
      end = { error: errorOf(error, call) };
    }
    this.#calls.delete(call.id);
    this.#write({ jsonrpc: "2.0", id: call.id, ...end });
  }

  // -- the host's notifications and answers ----------------------------------------------------------------

  #notification({ method, params }) {
    const call = isObject(params) ? this.#calls.get(params.id) : undefined;
    if (call === undefined) return; // unknown, before `initialize`, or about a call that has ended [P-13, P-33, P-52]
    if (method === "$/cancel") call.cancel();
    if (method === "$/credit" && isSize(params.n)) call.grant(params.n);
  }

  #answer({ id, result, error }) {
    const asked = this.#asked.get(id);
    if (asked === undefined) return; // [P-22]
    this.#asked.delete(id);
    if (result !== undefined) asked.resolve(result);
    else asked.reject(new Failure(error?.code ?? -32603, String(error?.message ?? ""), { hint: error?.data?.hint }));
  }

  /** Ask the host something on behalf of a call of its own [P-51]. */
  ask(call, method, params) {
    call.check();
    this.#ownId += 1;
    const id = `p${this.#ownId}`;
    const answer = new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      call.signal.addEventListener("abort", () => reject(new Failure(-32800, "cancelled")), { once: true });
    });
    this.#write({ jsonrpc: "2.0", id, method, params: { meta: { parent: call.id }, ...params } });
    return answer.finally(() => this.#asked.delete(id));
  }

  // -- writing ---------------------------------------------------------------------------------------------

  #reply(id, result) {
    this.#write({ jsonrpc: "2.0", id, result });
  }

  #refuse(id, code, message, data = {}) {
    const failure = new Failure(code, message, data);
    this.#write({ jsonrpc: "2.0", id, error: { code, message, data: failure.data } });
  }

  #write(message) {
    const json = encode(message);
    if (Buffer.byteLength(json) > this.#lineLimit) {
      return this.#refuse(message.id, 1008, `the answer is longer than ${this.#lineLimit} bytes`); // [P-11]
    }
    this.#put(`${json}\n`);
    if (process.stdout.writableLength > MOST_UNREAD) stop("it asks and does not read");
  }

  #put(line) {
    if (!process.stdout.write(line)) this.#isFull = true;
  }

  /** Note that a call has data to send. */
  wake(call) {
    if (!this.#turn.includes(call)) this.#turn.push(call);
    this.#pump();
  }

  // Data goes to the pipe only while the pipe takes it, so whatever is not data overtakes what waits [P-47].
  #pump() {
    while (!this.#isFull && this.#turn.length > 0) {
      const call = this.#turn.shift();
      const line = call.nextLine();
      if (line === undefined) continue; // it waits for credit, or has nothing left
      this.#put(line);
      this.#turn.push(call);
    }
  }
}

function readOptions(readers, given) {
  const values = {};
  for (const [name, text] of Object.entries(given)) {
    if (!Object.hasOwn(readers, name)) throw new RangeError(`there is no option ${shown(name)}`);
    try {
      values[name] = readers[name](String(text));
    } catch (error) {
      throw new RangeError(`option ${name}: ${error.message}`);
    }
  }
  return values;
}

function errorOf(error, call) {
  const isOver = call.signal.aborted;
  if (!(error instanceof Failure) && !isOver) console.error(error); // for the author; the user gets a sentence
  const failure = isOver ? new Failure(-32800, "cancelled") : error;
  const { code, message, data } =
    failure instanceof Failure ? failure : new Failure(-32603, `${error?.name ?? "Error"}: ${error?.message ?? error}`);
  return { code, message: message.slice(0, 2000), data: { ...data, items_sent: call.sent } }; // [P-53]
}

/** One prompt: what was asked, and the answer as it goes out. A model waits for each of its methods. */
export class Call {
  #connection;
  #credit;
  #waiting = []; // items that have not been sent, as JSON
  #seq = 0;
  #part = -1;
  #type; // of the open part
  #stopper = new AbortController();
  #sleepers = [];
  sent = 0; // items

  constructor(connection, id, { messages, tools, options }, credit) {
    this.#connection = connection;
    this.#credit = isSize(credit) ? credit : 0; // [P-42]
    Object.assign(this, { id, messages, tools, options });
  }

  /** Aborts when the host no longer wants the answer. Pass it on to whatever waits: `fetch`, a timer. */
  get signal() {
    return this.#stopper.signal;
  }

  /** Say more of the answer. */
  text(text) {
    return this.#say("text", text);
  }

  /** Say what the model thinks before it answers. */
  reasoning(text) {
    return this.#say("reasoning", text);
  }

  /** Ask for a tool; the host runs it, and its result comes with the next prompt. */
  async toolCall(callId, name, values) {
    this.#close();
    this.#part += 1;
    this.#item({ t: "part", part: this.#part, type: "tool_call", call_id: callId, name });
    for (const json of this.#cut(JSON.stringify(values))) this.#item({ t: "args", part: this.#part, json });
    this.#item({ t: "end", part: this.#part });
    await this.#sending();
  }

  /** Say what the answer has cost so far. */
  async usage(usage) {
    this.#item({ t: "usage", usage });
    await this.#sending();
  }

  /** Get a key that a model declares; it is kept by nobody and written nowhere [P-67, P-90]. */
  async key(alias) {
    let value;
    try {
      ({ value } = await this.#connection.ask(this, "keys/get", { alias }));
    } catch (error) {
      if (error.code !== 2001 && error.code !== 4001) throw error;
      throw new Failure(2001, error.message, { hint: error.data?.hint }); // the host's sentence says why
    }
    if (typeof value !== "string") throw new Failure(-32603, "the host answered keys/get without a key");
    return value;
  }

  /** Wait until all of the answer has been sent. */
  async flush() {
    this.#close();
    await this.#sending();
  }

  // -- for the connection ----------------------------------------------------------------------------------

  cancel() {
    this.#waiting = [];
    this.#stopper.abort();
    this.#wake();
  }

  grant(size) {
    this.#credit += size;
    this.#connection.wake(this);
  }

  /** Take as many items as the credit and one line allow; undefined if none. */
  nextLine() {
    const room = Math.min(this.#credit, this.#connection.dataLine); // [P-42, P-44]
    const head = `{"jsonrpc":"2.0","method":"$/data","params":{"id":"${this.id}","seq":${this.#seq},"items":[`;
    const tail = "]}}\n";
    let cost = head.length + tail.length - 1; // there is one comma fewer than items
    let count = 0;
    for (const item of this.#waiting) {
      const longer = cost + Buffer.byteLength(item) + 1;
      if (longer > room) break;
      cost = longer;
      count += 1;
    }
    if (count === 0) return undefined;
    const items = this.#waiting.splice(0, count);
    this.#credit -= cost;
    this.#seq += 1; // [P-40]
    this.sent += count;
    if (this.#waiting.length === 0) this.#wake();
    return `${head}${items.join(",")}${tail}`;
  }

  /** Throw if the host no longer wants the answer [P-46]. */
  check() {
    if (this.signal.aborted) throw new Failure(-32800, "cancelled");
  }

  // -- inside ----------------------------------------------------------------------------------------------

  async #say(type, text) {
    if (text === "") return;
    if (this.#type !== type) {
      this.#close();
      this.#part += 1;
      this.#type = type;
      this.#item({ t: "part", part: this.#part, type }); // [P-63]
    }
    for (const piece of this.#cut(text)) this.#item({ t: "delta", part: this.#part, text: piece });
    await this.#sending();
  }

  #item(item) {
    const json = encode(item);
    const most = this.#connection.dataLine - ENVELOPE;
    if (Buffer.byteLength(json) > most) throw new Failure(1008, `an item is longer than ${most} bytes`); // [P-11]
    this.#waiting.push(json);
  }

  #close() {
    if (this.#type !== undefined) this.#item({ t: "end", part: this.#part });
    this.#type = undefined;
  }

  /** Cut long text so that each piece fits into a line, and no pair of UTF-16 units is torn [P-44, P-14]. */
  *#cut(text) {
    // A unit costs six bytes at worst: \u0000. Once more for a quote in a tool's arguments.
    const most = Math.max(2, Math.min(4096, Math.floor((this.#connection.dataLine - ENVELOPE - 50) / 7)));
    for (let start = 0; start < text.length; ) {
      let end = Math.min(start + most, text.length);
      if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1])) end -= 1;
      yield text.slice(start, end);
      start = end;
    }
  }

  /** Wait until nothing waits for credit; a model that is faster than its reader is held up here. */
  async #sending() {
    for (;;) {
      this.check();
      if (this.#waiting.length > 0) this.#connection.wake(this);
      if (this.#waiting.length === 0) break;
      await new Promise((resolve) => this.#sleepers.push(resolve));
    }
    await this.#breathe();
  }

  /** Let a model that never waits for anything not keep the reader from reading [P-23]. */
  async #breathe() {
    if (this.#seq % LINES_AT_A_STRETCH === 0) await new Promise(setImmediate);
    this.check();
  }

  #wake() {
    for (const resolve of this.#sleepers.splice(0)) resolve();
  }
}

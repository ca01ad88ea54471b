// The models of this plugin. A model is an object:
//
//   info         what the host lists: a member of `models` in the answer to plugin/describe
//   options      how each option is read from the string that the user wrote
//   answer(call) an async function; `call` is a Call of wire.mjs
//
// A real model would call a provider here, with `fetch` and `call.signal`. These two need no network.

import { setTimeout as pause } from "node:timers/promises";

import { Failure } from "./wire.mjs";

/** Make a reader of whole numbers within bounds. */
function whole(from, to) {
  return (text) => {
    if (!/^[0-9]{1,9}$/.test(text) || Number(text) < from || Number(text) > to) {
      throw new RangeError(`it must be a whole number from ${from} to ${to}`);
    }
    return Number(text);
  };
}

/** Join the text of a message's parts; other parts, and those of a later protocol, are passed over. */
function textOf(message) {
  const texts = (message?.parts ?? []).filter((part) => part?.type === "text").map((part) => part.text);
  return texts.filter((text) => typeof text === "string").join("");
}

/** Count words; a stand-in for a provider's count of tokens. */
function words(text) {
  return text.split(/\s+/).filter(Boolean).length;
}

/** Make up arguments for a tool: the user's text wherever its schema wants a string. */
function argumentsFor(tool, text) {
  const properties = Object.entries(tool.input_schema?.properties ?? {});
  return Object.fromEntries(properties.filter(([, schema]) => schema?.type === "string").map(([name]) => [name, text]));
}

// Says back what it was told, word by word. If it is offered tools it asks for the first one, and when the
// results are in the conversation it answers with them.
const clerk = {
  info: {
    id: "js-clerk",
    title: "Says back what it was told; asks for a tool if there is one",
    supports: { stream: true, tools: true, system: true, reasoning: true },
    options_schema: {
      type: "object",
      properties: {
        times: { type: "integer", minimum: 1, maximum: 1_000_000, default: 1, description: "How often it says it." },
        pause: { type: "integer", minimum: 0, maximum: 60_000, default: 0, description: "Milliseconds between words." },
      },
    },
  },
  options: { times: whole(1, 1_000_000), pause: whole(0, 60_000) },

  async answer(call) {
    const { messages, tools, options } = call;
    const last = messages.at(-1);
    const system = messages[0]?.role === "system" ? textOf(messages[0]) : "";
    if (last?.role === "tool") return reportResults(call, last);

    const said = textOf(last);
    const usage = { input: messages.map(textOf).map(words).reduce((a, b) => a + b, 0), output: 0 };
    if (tools.length > 0) {
      await call.reasoning(`There is a tool called ${tools[0].name}.`);
      await call.toolCall("call-1", tools[0].name, argumentsFor(tools[0], said));
      await call.usage(usage);
      return { finish: "tool_calls" };
    }
    if (system) await call.reasoning(`I was told: ${system}`);
    const pieces = said.match(/\s*\S+/g) ?? ["(nothing)"];
    for (let time = 0; time < (options.times ?? 1); time += 1) {
      for (const piece of time === 0 ? pieces : [" ", ...pieces]) {
        await call.text(piece);
        if (options.pause) await pause(options.pause, undefined, { signal: call.signal });
      }
      usage.output += pieces.length;
    }
    await call.usage(usage);
    return { finish: "stop" };
  },
};

/** Answer with what the tools returned. */
async function reportResults(call, message) {
  for (const part of message.parts.filter(({ type }) => type === "tool_result")) {
    const verb = part.is_error ? "failed with" : "says";
    await call.text(`${part.name || part.call_id} ${verb}: ${textOf({ parts: part.content })}\n`);
  }
  return { finish: "stop" };
}

// Shows how a key is asked for: only while a prompt runs, and never written anywhere.
const courier = {
  info: {
    id: "js-courier",
    title: "Shows how a plugin gets a key",
    supports: { stream: true },
    key: { alias: "example-js", env: "EXAMPLE_JS_KEY" },
  },
  options: {},

  async answer(call) {
    const key = await call.key("example-js");
    if (key.length < 4) throw new Failure(2002, "a key of fewer than 4 characters is none");
    await call.text(`I would deliver your ${words(textOf(call.messages.at(-1)))} words with a key of `);
    await call.text(`${key.length} characters.`);
    return { finish: "stop" };
  },
};

export const MODELS = [clerk, courier];

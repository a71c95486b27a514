// Verifies an evidence pack in the browser, by the browser's own cryptography: every record is in the log that the signed
// checkpoint speaks of, the selection is the log's own, and what is shown of persons opens what the record commits to.
// The format is that of crates/evidence/src/pack; the hashes are those of RFC 6962.
"use strict";

const bytes = (text) => new TextEncoder().encode(text);
const base64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const base64Of = (data) => btoa(String.fromCharCode(...data));
const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));

class Fault extends Error {}

function must(holds, line, what) {
  if (!holds) throw new Fault(`line ${line}: ${what}`);
}

// The members of a JSON object with their own text: what is hashed is what stands there, not what was understood of it.
function members(text) {
  const found = new Map();
  let at = 1;
  while (at < text.length && text[at] !== "}") {
    const nameEnd = end(text, at);
    const name = JSON.parse(text.slice(at, nameEnd));
    const valueEnd = end(text, nameEnd + 1);
    found.set(name, text.slice(nameEnd + 1, valueEnd));
    at = valueEnd + (text[valueEnd] === "," ? 1 : 0);
  }
  return found;
}

// Where the value that begins at `at` ends.
function end(text, at) {
  let depth = 0;
  let quoted = false;
  for (let i = at; i < text.length; i += 1) {
    const letter = text[i];
    if (quoted) {
      if (letter === "\\") i += 1;
      else if (letter === '"') {
        quoted = false;
        if (depth === 0) return i + 1;
      }
    } else if (letter === '"') quoted = true;
    else if (letter === "{" || letter === "[") depth += 1;
    else if (letter === "}" || letter === "]") {
      if (depth === 0) return i;
      depth -= 1;
      if (depth === 0) return i + 1;
    } else if (depth === 0 && (letter === "," || letter === ":")) return i;
  }
  return text.length;
}

// A C2SP verifier key: name, key id, and type 1 with an Ed25519 public key.
async function verifier(text) {
  const [name, id, rest] = [text.slice(0, text.indexOf("+")), ...text.slice(text.indexOf("+") + 1).split(/\+(.*)/s)];
  const data = base64(rest);
  must(data[0] === 1 && data.length === 33, 1, "the key of the log is not an Ed25519 key");
  const computed = (await sha256(joined(bytes(name), Uint8Array.of(10), data))).slice(0, 4);
  must(hex(computed) === id, 1, "the key id is not that of the key");
  const key = await crypto.subtle.importKey("raw", data.slice(1), { name: "Ed25519" }, false, ["verify"]);
  return { name, id: computed, key, fingerprint: hex(await sha256(data.slice(1))) };
}

// The text of a signed note, if the key signed it.
async function note(text, by, line) {
  const cut = text.lastIndexOf("\n\n");
  must(cut > 0, line, "it is not a signed note");
  const body = text.slice(0, cut + 1);
  for (const signature of text.slice(cut + 2).split("\n")) {
    const [dash, name, data] = signature.split(" ");
    if (dash !== "\u2014" || name !== by.name) continue;
    const payload = base64(data);
    if (!same(payload.slice(0, 4), by.id)) continue;
    if (await crypto.subtle.verify("Ed25519", by.key, payload.slice(4), bytes(body))) return body;
  }
  throw new Fault(`line ${line}: the log's key did not sign it`);
}

// The root that a leaf at `index` of `size` and its proof lead to (RFC 6962 §2.1.1).
async function root(leaf, index, size, proof, line) {
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    must(sn > 0, line, "the proof is too long");
    if (fn % 2 === 1 || fn === sn) {
      hash = await sha256(joined(Uint8Array.of(1), sibling, hash));
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      hash = await sha256(joined(Uint8Array.of(1), hash, sibling));
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  must(sn === 0, line, "the proof is too short");
  return hash;
}

async function record(text, line, checkpoint) {
  const parts = members(text);
  const entry = parts.get("entry");
  const index = Number(parts.get("index"));
  const leaf = await sha256(joined(Uint8Array.of(0), bytes(entry)));
  const proof = JSON.parse(parts.get("proof")).map(base64);
  must(Number.isSafeInteger(index) && index < checkpoint.size, line, "the index is not in the log");
  const found = await root(leaf, index, checkpoint.size, proof, line);
  must(same(found, checkpoint.root), line, "the record is not in the log at this index");
  const commitments = JSON.parse(entry).commitments || {};
  let rest = parts.get("disclosures").slice(1, -1);
  let opened = 0;
  while (rest.length > 0) {
    const stop = end(rest, 0);
    const disclosure = members(rest.slice(0, stop));
    const field = JSON.parse(disclosure.get("field"));
    const salt = base64(JSON.parse(disclosure.get("salt")));
    const value = bytes(disclosure.get("value"));
    const commitment = await sha256(joined(bytes("bailiwick/commit/v1\n"), salt, value));
    must(commitments[field] && same(commitment, base64(commitments[field])), line, `what is said of ${field} is not what was committed to`);
    opened += 1;
    rest = rest.slice(stop + 1);
  }
  return { index, opened };
}

// Verifies a whole pack; says what it found, or throws the first fault.
async function verify(text, expected) {
  const lines = text.split("\n");
  must(lines.pop() === "", lines.length, "the file ends too early");
  const header = JSON.parse(lines[0]);
  must(header.format === "bailiwick-evidence-pack/v1", 1, "the format is not known");
  must(header.log === expected, 1, "the pack names another key than this hub's log");
  must(lines.length === header.records + 3, lines.length, "the number of records is not that of the header");
  const by = await verifier(header.log);
  const [origin, size, hash] = (await note(header.checkpoint, by, 1)).split("\n");
  must(origin === by.name, 1, "the checkpoint is of another log");
  const checkpoint = { size: Number(size), root: base64(hash) };
  const indices = [];
  let opened = 0;
  for (let line = 1; line <= header.records; line += 1) {
    const found = await record(lines[line], line + 1, checkpoint);
    must(indices.length === 0 || found.index > indices[indices.length - 1], line + 1, "the index does not ascend");
    indices.push(found.index);
    opened += found.opened;
  }
  const upTo = async (count) => base64Of(await sha256(bytes(`${lines.slice(0, count).join("\n")}\n`)));
  const last = header.records + 1;
  const manifest = await note(JSON.parse(lines[last]).manifest, by, last + 1);
  const [format, name, subject, records, digest] = manifest.split("\n");
  must(format === header.format && name === by.name, last + 1, "the manifest is of another log");
  must(subject === `subject ${JSON.stringify(header.subject)}`, last + 1, "the manifest is about somebody else");
  must(records === `records ${header.records}`, last + 1, "the manifest speaks of another number of records");
  must(digest === `sha256 ${await upTo(last)}`, last + 1, "the log did not sign this selection of records");
  must(JSON.parse(lines[last + 1]).sha256 === (await upTo(last + 1)), last + 2, "the bytes are not those that were sealed");
  return { indices, opened, size: checkpoint.size, fingerprint: by.fingerprint };
}

function say(tone, title, text) {
  const box = document.getElementById("proof");
  const note = document.createElement("div");
  note.className = `note ${tone}`;
  const strong = document.createElement("strong");
  strong.textContent = title;
  const body = document.createElement("p");
  body.textContent = text;
  note.append(strong, body);
  box.replaceChildren(note);
}

async function run(button) {
  button.disabled = true;
  say("", "Verifying …", "The pack is fetched and checked here; nothing is sent.");
  try {
    const answer = await fetch(button.dataset.verify);
    if (!answer.ok) throw new Fault(`the pack could not be fetched (status ${answer.status})`);
    const found = await verify(await answer.text(), button.dataset.key);
    for (const index of found.indices) {
      const line = document.querySelector(`[data-index="${index}"]`);
      if (line) line.classList.add("good");
    }
    say(
      "good",
      "✓ Verified in this browser",
      `${found.indices.length} records are in the log of ${found.size}, at the places they name, under a checkpoint that its key signed; ` +
        `${found.opened} personal values open what was committed to. Key fingerprint sha256:${found.fingerprint}`,
    );
  } catch (fault) {
    const text = fault instanceof Fault ? fault.message : `the pack cannot be read: ${fault.message}`;
    say("bad", "✗ It does not verify", text);
  } finally {
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll("[data-verify]")) {
  button.hidden = !(crypto && crypto.subtle);
  button.addEventListener("click", () => run(button));
}

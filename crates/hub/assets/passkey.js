// Passkeys: asks the browser for an answer to a challenge of the hub, puts it into the form, and sends the form.
"use strict";

const written = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const raw = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
const listed = (ids) => ids.map((id) => ({ type: "public-key", id: raw(id) }));

async function question(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (answer.redirected) throw new Error("Your session is over. Sign in again.");
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return said;
}

// What a passkey answers, as the form brings it along.
async function used(address) {
  const asked = await question(address);
  const found = await navigator.credentials.get({
    publicKey: {
      challenge: raw(asked.challenge),
      rpId: asked.party,
      userVerification: "required",
      allowCredentials: listed(asked.credentials),
    },
  });
  const said = found.response;
  const out = {
    id: written(found.rawId),
    client: written(said.clientDataJSON),
    authenticator: written(said.authenticatorData),
    signature: written(said.signature),
  };
  if (said.userHandle && said.userHandle.byteLength > 0) out.user = written(said.userHandle);
  return JSON.stringify(out);
}

// A passkey that is made.
async function made() {
  const asked = await question("/signed-in/challenge?to=enrol");
  const { user, name, algorithms } = asked.making;
  const found = await navigator.credentials.create({
    publicKey: {
      challenge: raw(asked.challenge),
      rp: { id: asked.party, name: "Bailiwick" },
      user: { id: raw(user), name, displayName: name },
      pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: listed(asked.credentials),
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      attestation: "none",
    },
  });
  return JSON.stringify({
    client: written(found.response.clientDataJSON),
    attestation: written(found.response.attestationObject),
  });
}

// Why it did not work, where one looks.
function say(form, error) {
  const words = {
    NotAllowedError: "Nothing was chosen, or it took too long. Try again.",
    InvalidStateError: "This authenticator has a passkey for you already.",
    SecurityError: "Passkeys do not work at this address.",
  };
  const place = form.querySelector("[data-says]");
  place.textContent = words[error.name] || error.message;
  place.hidden = false;
}

// What proves who sends the form, if nothing else in it does.
async function proved(form) {
  const { code, passkey } = form.elements;
  if (form.dataset.prove !== "passkey" || (code && code.value) || passkey.value) return;
  passkey.value = await used("/signed-in/challenge?to=prove");
}

const acts = {
  "sign-in": async (form) => {
    const name = form.elements.name.value.trim();
    form.elements.passkey.value = await used(`/sign-in/challenge?name=${encodeURIComponent(name)}`);
  },
  approve: async (form, button) => {
    form.elements.passkey.value = await used(`/signed-in/challenge?to=approve&digest=${button.dataset.digest}`);
  },
  enrol: async (form) => {
    await proved(form);
    form.elements.making.value = await made();
  },
  prove: proved,
};

// One at a time; the form goes when it has its answer.
async function act(form, button, name) {
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  try {
    await acts[name](form, button);
    form.submit();
  } catch (error) {
    say(form, error);
    if (form.elements.passkey) form.elements.passkey.value = "";
  }
  delete form.dataset.busy;
}

for (const button of document.querySelectorAll("button[data-passkey]")) {
  const form = button.form;
  const { origin, passkey } = button.dataset;
  if (!window.PublicKeyCredential && location.origin === origin) continue;
  button.hidden = false;
  if (location.origin === origin) {
    button.addEventListener("click", () => form.reportValidity() && act(form, button, passkey));
  } else {
    // Passkeys are bound to one address, and this page came by another.
    button.addEventListener("click", () => location.assign(origin + location.pathname + location.search));
    button.textContent += ` at ${new URL(origin).host}`;
  }
}
for (const form of document.querySelectorAll("form[data-prove]:not([data-enrol])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.prove !== "passkey" || (form.elements.code && form.elements.code.value)) return;
    event.preventDefault();
    act(form, null, "prove");
  });
}

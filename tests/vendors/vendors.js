// Signs and verifies deliveries with the vendors' own libraries.
//
// Reads one JSON object a line from standard input, and answers each with one
// line. Bodies are in base64. Only what a library says counts: it is called as
// its documentation shows it, with the fields as Node.js hands them out.

import { createPrivateKey, createPublicKey, sign as signWith } from "node:crypto";
import { createInterface } from "node:readline";
import * as octokit from "@octokit/webhooks-methods";
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import { HashFormat, createSHA256HMAC } from "@shopify/shopify-api/runtime";
import discord from "discord-interactions";

// Text is what most of them take: a body that is none is not changed on the way.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const github = {
  async sign(secret, _asked, body) {
    return { "x-hub-signature-256": await octokit.sign(secret, utf8.decode(body)) };
  },
  async verify(secrets, fields, body) {
    const [first, ...others] = secrets;
    return octokit.verifyWithFallback(first, utf8.decode(body), fields["x-hub-signature-256"], others);
  },
};

const shopify = {
  async sign(secret, asked, body) {
    return {
      "x-shopify-topic": "orders/create",
      "x-shopify-shop-domain": "shop.myshopify.com",
      "x-shopify-api-version": "2026-01",
      "x-shopify-webhook-id": asked.id,
      "x-shopify-hmac-sha256": await createSHA256HMAC(secret, utf8.decode(body), HashFormat.Base64),
    };
  },
  async verify(secrets, fields, body) {
    for (const secret of secrets) {
      const api = shopifyApi({
        apiKey: "key",
        apiSecretKey: secret,
        apiVersion: ApiVersion.January26,
        hostName: "app.example.com",
        isEmbeddedApp: false,
        logger: { level: LogSeverity.Error },
      });
      const rawRequest = { headers: fields, method: "POST", url: "/webhooks" };
      const { valid } = await api.webhooks.validate({ rawBody: utf8.decode(body), rawRequest });
      if (valid) return true;
    }
    return false;
  },
};

// The library only verifies: what it verifies is signed by Node.js.
const SEED_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const privateKey = (seed) =>
  createPrivateKey({ key: Buffer.concat([SEED_HEAD, Buffer.from(seed, "hex")]), format: "der", type: "pkcs8" });
const publicKey = (seed) =>
  createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" }).subarray(-32).toString("hex");

const discordInteractions = {
  async sign(secret, asked, body) {
    const signed = Buffer.concat([Buffer.from(`${asked.time}`), body]);
    return {
      "x-signature-ed25519": signWith(null, signed, privateKey(secret)).toString("hex"),
      "x-signature-timestamp": `${asked.time}`,
    };
  },
  async verify(secrets, fields, body) {
    const [signature, time] = [fields["x-signature-ed25519"] || "", fields["x-signature-timestamp"] || ""];
    // As the library's own middleware does before it verifies.
    if (!signature || !time) return false;
    for (const secret of secrets) {
      if (await discord.verifyKey(body, signature, time, publicKey(secret))) return true;
    }
    return false;
  },
  publicKey,
};

const VENDORS = { discord: discordInteractions, github, shopify };

async function answer(asked) {
  const vendor = VENDORS[asked.vendor];
  if (asked.do === "key") return { key: vendor.publicKey(asked.secret) };
  const body = Buffer.from(asked.body, "base64");
  if (asked.do === "sign") {
    try {
      return { fields: Object.entries(await vendor.sign(asked.secret, asked, body)) };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return { refused: `${error}` };
    }
  }
  // As Node.js has them: in lower case, and a field that came twice is one, with
  // a comma and a space.
  const fields = {};
  for (const [name, value] of asked.fields.map(([name, value]) => [name.toLowerCase(), value])) {
    fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
  }
  try {
    const accepted = await vendor.verify(asked.secrets, fields, body);
    return { accepted, why: accepted ? "" : "false" };
  } catch (error) {
    // A caller who gets an exception has no verified delivery.
    return { accepted: false, why: `${error.name}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}

// Fields of events from what Haraka knows of connections, messages and deliveries. Values are in the catalogue's wire
// types; what is unknown is undefined, and JSON.stringify leaves it out.
'use strict';

const net = require('node:net');
const { decodeHeader, generalReason, bounceClass } = require('./text');

const REPLY_MAX = 4096;
// What most From and To headers are: one address, perhaps with a plain name; the others need a parser.
const SIMPLE_ADDRESS = /^(?:[\w .'-]*<([\w.+-]+@[\w.-]+)>|([\w.+-]+@[\w.-]+))\s*$/;

function firstHeader(header, name) {
  const [value] = header.get_all(name);
  return value;
}

function addressesIn(header, name) {
  const simple = SIMPLE_ADDRESS.exec(header.get(name));
  if (simple) return [{ address: simple[1] ?? simple[2] }];
  try {
    return header.get_addresses(name).flatMap((one) => one.addresses ?? [one]);
  } catch {
    return []; // not an address list; the message passes all the same
  }
}

// What the sender says of a message in X-MSYS-API, as the original server reads it; nothing when it is no JSON object.
function apiHeader(header) {
  const text = firstHeader(header, 'x-msys-api');
  if (text === undefined) return {};
  try {
    const { campaign_id, metadata, tags, options } = JSON.parse(decodeHeader(text));
    return {
      campaign_id: typeof campaign_id === 'string' ? campaign_id : undefined,
      rcpt_meta: metadata?.constructor === Object ? metadata : undefined,
      rcpt_tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : undefined,
      transactional: options?.transactional === true ? '1' : undefined,
    };
  } catch {
    return {};
  }
}

// Recipients that To does not name: cc when Cc does, else bcc. A message without either names nobody, and tells nothing.
function recipientTypes(header, recipients) {
  const named = (name) => new Set(addressesIn(header, name).map((one) => one.address?.toLowerCase()));
  const to = named('to');
  const others = recipients.map((one) => one.address.toLowerCase()).filter((address) => !to.has(address));
  const types = {};
  if (others.length === 0) return types;
  const cc = named('cc');
  if (to.size + cc.size === 0) return types;
  for (const address of others) types[address] = cc.has(address) ? 'cc' : 'bcc';
  return types;
}

function receptionMethod(connection) {
  const verb = connection?.hello?.verb;
  return verb ? (verb === 'EHLO' ? 'esmtp' : 'smtp') : undefined;
}

// What every event of a message repeats. It goes into the queue file with the transaction's notes, so that deliveries
// after a restart know it. connection: null for messages that Haraka itself makes.
function messageContext(transaction, connection) {
  const { header } = transaction;
  const [from] = addressesIn(header, 'from');
  const subject = firstHeader(header, 'subject');
  return {
    fields: {
      message_id: transaction.uuid,
      injection_time: new Date().toISOString(),
      msg_from: transaction.mail_from.address ?? '',
      msg_size: transaction.data_bytes ? String(transaction.data_bytes) : undefined,
      subject: subject === undefined ? undefined : decodeHeader(subject),
      friendly_from: from?.address,
      sending_domain: from?.address?.split('@').at(-1).toLowerCase(),
      conn_name: connection?.uuid,
      recv_method: receptionMethod(connection),
      ...apiHeader(header),
    },
    types: recipientTypes(header, transaction.rcpt_to),
  };
}

function recipientFields(recipient, context) {
  const address = recipient.address ?? '';
  return {
    rcpt_to: address.toLowerCase(),
    raw_rcpt_to: address,
    recipient_domain: recipient.host ?? undefined,
    rcpt_type: context?.types[address.toLowerCase()],
  };
}

// What all events of one attempt to deliver share. failures: attempts that failed before this one.
function attemptFields(hmail, failures) {
  return {
    msg_spoolname: hmail.filename,
    num_retries: String(failures),
    routing_domain: hmail.todo.domain,
  };
}

function queueTime(hmail) {
  return String(Math.max(0, Date.now() - hmail.todo.queue_time));
}

function deliveredFields(hmail, [, ip, , , , mode, , secured]) {
  return {
    ...attemptFields(hmail, hmail.num_failures),
    queue_time: queueTime(hmail),
    ip_address: net.isIP(ip) ? ip : undefined,
    delv_method: mode.toLowerCase(),
    outbound_tls: secured ? '1' : '0',
  };
}

function hostFields(mx) {
  if (!mx) return {};
  return {
    ip_address: net.isIP(mx.exchange) ? mx.exchange : undefined,
    delv_method: mx.using_lmtp ? 'lmtp' : 'smtp',
  };
}

// Why a recipient was put off or bounced: the remote reply if there was one, else what Haraka says.
function failureFields(recipient, error, isTemporary) {
  const code = recipient.dsn_smtp_code;
  const reply = code && [code, recipient.dsn_smtp_extc, recipient.dsn_smtp_response].filter(Boolean).join(' ');
  const text = String(recipient.reason ?? reply ?? error?.message ?? error ?? '').slice(0, REPLY_MAX);
  return {
    error_code: code ? String(code) : undefined,
    raw_reason: text,
    reason: generalReason(text),
    bounce_class: bounceClass(recipient.dsn_status ?? recipient.dsn_smtp_extc, code, isTemporary),
  };
}

// hook_deferred comes when the attempt is counted already.
function deferredFields(hmail, params) {
  return { ...attemptFields(hmail, hmail.num_failures - 1), queue_time: queueTime(hmail), ...hostFields(params.mx) };
}

// A bounce because of too many deferrals comes behind the count, one by a refusal before it.
function bouncedFields(hmail, error) {
  const counted = /^Too many failures/.test(error.message) ? 1 : 0;
  return { ...attemptFields(hmail, hmail.num_failures - counted), ...hostFields(error.mx) };
}

// The reply that the client gets for a refusal of a plugin: text, or a DSN of Haraka's.
function replyOf(message, fallback) {
  const text = Array.isArray(message) ? message.join(' ') : (message?.reply ?? message);
  return String(text || fallback);
}

function rejectionFields(connection, context, message) {
  const text = replyOf(message, 'refused by policy').slice(0, REPLY_MAX);
  const {
    message_id,
    injection_time,
    msg_from,
    friendly_from,
    sending_domain,
    campaign_id,
    rcpt_meta,
    rcpt_tags,
    transactional,
  } = context?.fields ?? {};
  return {
    message_id,
    injection_time,
    msg_from: msg_from ?? connection.transaction?.mail_from?.address,
    friendly_from,
    sending_domain,
    campaign_id,
    rcpt_meta,
    rcpt_tags,
    transactional,
    recv_method: receptionMethod(connection),
    remote_addr: connection.remote?.ip,
    error_code: '550',
    raw_reason: text,
    reason: generalReason(text),
    bounce_class: bounceClass(/\b5(\.\d{1,3}){2}\b/.exec(text)?.[0] ?? '5.7.1', '550', false),
  };
}

module.exports = {
  messageContext,
  recipientFields,
  deliveredFields,
  deferredFields,
  bouncedFields,
  failureFields,
  rejectionFields,
};

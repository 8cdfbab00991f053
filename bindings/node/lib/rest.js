// Requests and responses of the REST API between JavaScript objects and the library's. Used by the engine.
'use strict';

const { c, constants, bytes } = require('./native');
const { PosthasteError } = require('./errors');
const { needObject, needString } = require('./values');

const GRANTS = { view: constants.GRANT_VIEW, modify: constants.GRANT_MODIFY };

function done(code) {
  if (code !== constants.OK) throw new PosthasteError(code);
}

// Headers are an object of strings and arrays of strings, as node:http has them.
function addHeaders(made, headers) {
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) {
      if (value !== undefined) done(c.posthaste_request_add_header(made, name, String(value)));
    }
  }
}

// Calls use with a request made of an object.
function requestOf(request, use) {
  needObject(request, 'the request');
  const { headers = {}, body, peer, scheme, identity } = request;
  const made = c.posthaste_request_new(
    needString(request.method, 'the method'),
    needString(request.target, 'the target'),
  );
  if (!made) throw new PosthasteError(constants.E_NO_MEMORY);
  try {
    addHeaders(made, headers);
    if (body !== undefined && body !== null) {
      done(c.posthaste_request_set_body(made, body, Buffer.byteLength(body)));
    }
    if (peer !== undefined) done(c.posthaste_request_set_peer(made, needString(peer, 'the peer')));
    if (scheme !== undefined) done(c.posthaste_request_set_scheme(made, needString(scheme, 'the scheme')));
    if (identity !== undefined) {
      done(c.posthaste_request_set_identity(made, GRANTS[identity.grant] ?? 0, identity.subaccount ?? -1));
    }
    return use(made);
  } finally {
    c.posthaste_request_free(made);
  }
}

// The response that a ticket's report carries.
function responseOf(report) {
  const out = [null];
  done(c.posthaste_report_response(report, out));
  const response = out[0];
  try {
    const headers = [];
    const count = Number(c.posthaste_response_header_count(response));
    for (let index = 0; index < count; index++) {
      headers.push([
        c.posthaste_response_header_name(response, index),
        c.posthaste_response_header_value(response, index),
      ]);
    }
    const size = [0];
    const body = c.posthaste_response_body(response, size);
    return { status: c.posthaste_response_status(response), headers, body: bytes(body, Number(size[0])) };
  } finally {
    c.posthaste_response_free(response);
  }
}

module.exports = { requestOf, responseOf };

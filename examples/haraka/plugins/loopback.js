// For trying Haraka on one machine, never for a server that others can reach: clients on loopback may send to anybody,
// recipients named reject-* and messages with a header X-Refuse are refused, and all mail is relayed to 127.0.0.1, to
// the port in config/loopback_port.
'use strict';

exports.register = function () {
  this.register_hook('connect', 'let_relay');
  this.register_hook('rcpt', 'judge_recipient');
  this.register_hook('data_post', 'judge_content');
  this.register_hook('get_mx', 'route');
};

exports.let_relay = function (next, connection) {
  connection.relaying = connection.remote.is_local;
  next();
};

exports.judge_recipient = function (next, connection, [recipient]) {
  if (recipient.user.startsWith('reject-')) return next(DENY, `no mail for ${recipient.address} here`);
  next();
};

exports.judge_content = function (next, connection) {
  if (connection.transaction.header.get_all('x-refuse').length > 0) return next(DENY, 'content refused');
  next();
};

exports.route = function (next) {
  next(OK, { priority: 0, exchange: '127.0.0.1', port: Number(this.config.get('loopback_port')) });
};

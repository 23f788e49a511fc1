// Why an attempt to send a webhook failed, and what to do about it.

const CODES = {
  timeout: "No answer within 15 s. Store the event, answer at once, and do the work after that.",
  connect_refused: "Nothing listens at this address. Start the receiver, or correct the port.",
  connection_reset: "The connection ended before an answer came. The receiver may have crashed, or a proxy closed it.",
  tls_error: "The TLS certificate is not valid for this host. Renew it, or correct the host name.",
  dns_error: "The host name has no address. Correct its DNS record.",
  response_invalid: "The answer was not valid HTTP.",
  circuit_open: "Not sent: the target gave no answer for some time, so it gets one request at a time.",
  blocked_address: "Not sent: the host name leads to an address that is not public, or mail to this domain is not allowed.",
  bad_signing_key: "Not sent: the secret cannot sign. Set a new secret.",
  email_unavailable: "Not sent: the mail server takes nothing from this service now. Ask its operator.",
  email_refused: "The mail server refused the mail. Correct the address, then recover.",
  email_unconfirmed: "Not sent: the recipient has not agreed by the link. A test sends another; then recover.",
  reserved_name: "Not sent: the host name is reserved.",
  bad_syntax: "Not sent: the URL is not valid.",
  bad_scheme: "Not sent: the URL must begin with https.",
  bad_port: "Not sent: only the ports 443 and 8443 are allowed.",
  userinfo: "Not sent: the URL holds a user name. Put credentials into a header.",
  fragment: "Not sent: the URL holds a #.",
  ip_literal: "Not sent: the host must be a name, not an address.",
};

const STATUSES = {
  401: "The receiver wants other credentials. Check the endpoint's headers.",
  403: "The receiver refused the request. Check its signature check and its firewall.",
  404: "Nothing is at this path of the receiver. Correct the URL.",
  405: "This path of the receiver takes no POST.",
  410: "The receiver wants no more events, so its endpoint was disabled.",
  413: "The receiver allows smaller bodies only. Allow 1 MiB.",
  429: "The receiver had too many requests. Lower max_per_second of the endpoint.",
};

function ofStatus(status) {
  if (STATUSES[status]) return STATUSES[status];
  if (status >= 300 && status < 400) return "Redirects are not followed. Set the final URL.";
  if (status >= 500) return "The receiver failed. Its own logs say why.";
  return "The receiver refused the request.";
}

/** Return a sentence about a failed attempt, or null for one that succeeded. */
export function whyFailed({ status_code: status, error_code: code }) {
  if (code) return CODES[code] ?? `Not sent: ${code}.`;
  return status >= 200 && status < 300 ? null : `${status}: ${ofStatus(status)}`;
}

/** Node.js's error for a listener that cannot open. */
interface ListenFault extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

const hosts = '(HOST, TLS_HOST, ADMIN_HOST, METRICS_HOST, GATEWAY_HOST)';
const noSuchAddress = `this machine has no such address ${hosts}.`;
const noSuchName = `no address is known for this name ${hosts}. Correct it, or the DNS.`;

const sentences: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program listens there. End it, or choose another port (PORT, TLS_PORT, ADMIN_PORT, METRICS_PORT, GATEWAY_PORT).',
  EADDRNOTAVAIL: noSuchAddress,
  EAFNOSUPPORT: noSuchAddress,
  EINVAL: noSuchAddress,
  EACCES: 'this user may not listen there. Ports below 1024 need CAP_NET_BIND_SERVICE.',
  ENOTFOUND: noSuchName,
  EAI_AGAIN: noSuchName,
};

/** What keeps a listener from opening and what to do; undefined: the error is another one. */
export function listenFault(error: Error): string | undefined {
  const { syscall, code = '', address, port, hostname } = error as ListenFault;
  if (syscall === 'getaddrinfo') return `${hostname}: ${sentences[code] ?? noSuchName}`;
  if (syscall !== 'listen') return undefined;
  if (address?.startsWith('/') === true && code !== 'EADDRINUSE')
    return `${address}: the socket cannot be made (${code}). Its folder must exist, and this user must be able to write there (GATEWAY_PORT).`;
  const sentence = sentences[code];
  if (sentence === undefined) return undefined;
  // Node.js gives a socket the port -1.
  return `${address}${port !== undefined && port >= 0 ? ` port ${port}` : ''}: ${sentence}`;
}

import { lookup, Resolver } from 'node:dns/promises';

/** All addresses of a host name in canonical form; rejects or returns none if it has none. */
export type ResolveHost = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

/**
 * Asks the DNS for A and AAAA records. `getaddrinfo` would block one of the four threads that
 * signing needs, and cannot be cancelled.
 */
export const resolveByDns: ResolveHost = async (hostname, signal) => {
  const resolver = new Resolver();
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([
      resolver.resolve4(hostname),
      resolver.resolve6(hostname),
    ]);
    const addresses = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value : [],
    );
    const failed = answers.find((answer) => answer.status === 'rejected');
    // Many names have only one kind of record.
    if (addresses.length === 0 && failed !== undefined) throw failed.reason;
    return addresses;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

/** Asks the operating system, which knows the hosts file and local names. */
export const resolveBySystem: ResolveHost = async (hostname) => {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
};

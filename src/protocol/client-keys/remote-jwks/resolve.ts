import { lookup, Resolver } from 'node:dns/promises';

/** All addresses of a host name, in canonical text form. Rejects, or answers an empty list, when there are none; stops early when the signal fires. */
export type ResolveHost = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

/**
 * Asks the DNS for A and AAAA records. Not `getaddrinfo`: that waits in one of four threads which signing needs as well, and cannot be
 * cancelled, so a name server that never answers could stop the whole server.
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
    // Many names have one kind of record only, and some servers answer the question for the other kind with a failure.
    if (addresses.length === 0 && failed !== undefined) throw failed.reason;
    return addresses;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

/** Asks the operating system (`getaddrinfo`): the hosts file and local names count, as hosts of the operator's own network need. */
export const resolveBySystem: ResolveHost = async (hostname) => {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
};

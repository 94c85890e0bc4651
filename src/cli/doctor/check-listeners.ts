import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import type { Config } from '../../config/config.ts';
import { type ListenerPlace, listenerPlaces } from '../../config/listener-places.ts';
import { about, type Finding, reasonOf } from './finding.ts';

const listeners = about('listeners', 'ports that are free', 'reference/configuration.md');

/** Checks whether other programs have the ports of a server that does not run. */
export async function checkListeners(
  config: Config,
  answer: { readonly isHttp: boolean },
): Promise<readonly Finding[]> {
  const places = listenerPlaces(config, config.gateway).filter(({ port }) => port !== 0);
  const main = config.port === undefined ? 'TLS_PORT' : 'PORT';
  const found = places.map(async (place) =>
    judged(place, await stateOf(place), place.portVariable === main ? answer : undefined),
  );
  return (await Promise.all(found)).filter((finding) => finding !== undefined);
}

/** The address at which this machine reaches a listener. */
export function reachedAt(host: string): string {
  return /^(0\.0\.0\.0|::)$/.test(host) ? '127.0.0.1' : host;
}

/** The host as part of a URL. */
export function hostInUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

type State = 'free' | 'taken' | 'unknown name';

async function stateOf({ host, port }: ListenerPlace): Promise<State> {
  const socket = connect({ host: reachedAt(host), port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(2000) });
    return 'taken';
  } catch (error) {
    return /^(ENOTFOUND|EAI_AGAIN)$/.test(reasonOf(error)) ? 'unknown name' : 'free';
  } finally {
    socket.destroy();
  }
}

function judged(
  { host, port, portVariable, hostVariable }: ListenerPlace,
  state: State,
  answer: { readonly isHttp: boolean } | undefined,
): Finding | undefined {
  if (state === 'free') return undefined;
  if (state === 'unknown name')
    return listeners.fault(
      `no address is known for ${host} (${hostVariable})`,
      `Correct ${hostVariable}, or the DNS.`,
    );
  const at = `${reachedAt(host)} port ${port} (${portVariable})`;
  const mend = `End the other program, or choose another ${portVariable}.`;
  if (answer === undefined) return listeners.fault(`another program listens at ${at}`, mend);
  return answer.isHttp
    ? listeners.fault(`another program answers at ${at}`, mend)
    : listeners.fault(
        `something listens at ${at}, and does not answer like Holdfast`,
        `${mend} If it is Holdfast itself, look into its log.`,
      );
}

import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { refuseOtherOrigins } from '../../../packages/client/src/fetch.ts';
import { createHolder } from '../../../packages/client/src/holder.ts';
import {
  type HolderOptions,
  originsOf,
  refusePlainHttp,
} from '../../../packages/client/src/options.ts';
import { configurationError, usageError } from '../exit-codes.ts';
import { httpUrl } from '../http-target.ts';
import { keptNonces } from '../nonces-file.ts';
import { chosenProfile, holderOptions, type ProfileOptions } from '../profile.ts';
import { secretOf } from '../secret.ts';
import type { Terminal } from '../terminal.ts';
import { defaultSocket, type ListenAddress, listen, listenAddress } from './listen.ts';
import type { BridgePolicy } from './local-request.ts';
import { bridgeServer } from './server.ts';

export interface BridgeOptions extends ProfileOptions {
  readonly to: string;
  readonly listen?: string;
  readonly anyLocalUser?: boolean;
  readonly allowOrigin?: readonly string[];
  /** Seconds. */
  readonly idleTimeout: string;
}

/** Milliseconds for requests to finish when the bridge stops. */
const stopTimeout = 5_000;

/** Forwards requests of local programs to one API, with token and proof, until it is stopped. */
export async function bridge(terminal: Terminal, options: BridgeOptions): Promise<void> {
  const to = originOf('--to', options.to);
  refusePlainHttp(to, false);
  const profile = await chosenProfile(terminal, options);
  const address =
    options.listen === undefined
      ? await defaultSocket(terminal, profile.name)
      : listenAddress(options.listen);
  const policy = await policyOf(terminal, options, { address, to });
  const { nonces, save } = await keptNonces(terminal, profile.name);
  const holder = await createHolder({
    ...withOrigin(await holderOptions(terminal, profile), to),
    nonces,
  });
  if (!/^\d{1,6}$/.test(options.idleTimeout))
    throw usageError('--idle-timeout takes a number of seconds.');
  const idleTimeout = Number(options.idleTimeout) * 1000;
  const agent = new (to.protocol === 'https:' ? TlsAgent : Agent)({ keepAlive: true });
  const { server, stop } = bridgeServer({ to, holder, policy, agent, idleTimeout }, (line) =>
    terminal.stderr.write(`holdfast bridge: ${line}\n`),
  );
  const where = await listen(server, address);
  // A reader of the address may stop the bridge immediately.
  const stopped = stopSignal();
  terminal.stdout.write(`${where}\n`);
  terminal.stderr.write(`holdfast bridge: forwards to ${to.origin}\n`);
  await stopped;
  await stop(stopTimeout);
  agent.destroy();
  await save();
}

async function policyOf(
  terminal: Terminal,
  { anyLocalUser = false, allowOrigin = [] }: BridgeOptions,
  { address, to }: { readonly address: ListenAddress; readonly to: URL },
): Promise<BridgePolicy> {
  const pagesReachIt = 'port' in address;
  const secret = await secretOf(terminal, 'HOLDFAST_BRIDGE_SECRET');
  if (secret !== undefined && !/^[\w.~+/-]{16,}=*$/.test(secret))
    throw configurationError(
      'HOLDFAST_BRIDGE_SECRET needs 16 or more letters, digits and -._~+/ (openssl rand -hex 32).',
    );
  if (pagesReachIt && secret === undefined && !anyLocalUser)
    throw configurationError(
      'Every user of this machine can reach a TCP port: set HOLDFAST_BRIDGE_SECRET_FILE, ' +
        'give --any-local-user, or listen on a Unix socket.',
    );
  return {
    // A page whose name was rebound to this machine (DNS rebinding) still sends its own Host.
    isOwnHost: (host) =>
      /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host) ||
      (!pagesReachIt && host === to.host),
    origins: new Set(allowOrigin.map((text) => originOf('--allow-origin', text).origin)),
    secret,
    pagesReachIt,
  };
}

function originOf(option: string, text: string): URL {
  const url = httpUrl(text);
  if (url.href !== `${url.origin}/`)
    throw usageError(`${option} takes an origin, such as https://api.example.com.`);
  return url;
}

/** Lets `--to` decide where the token may go if the profile does not. Throws HolderError. */
function withOrigin(options: HolderOptions, to: URL): HolderOptions {
  if (options.resource === undefined && options.origins === undefined)
    return { ...options, origins: [to.origin] };
  refuseOtherOrigins(to, originsOf(options));
  return options;
}

async function stopSignal(): Promise<void> {
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve);
  });
}

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Config } from './config.ts';
import { defaultIssuer } from './issuer.ts';

/** Ports and issuer of a configuration. */
type Listening = Pick<
  Config,
  'host' | 'port' | 'tls' | 'adminHost' | 'adminPort' | 'issuer' | 'issuerIsDefault'
>;

/**
 * The configuration with a port in the place of every 0, which the system chooses now, so that the
 * issuer can name it and all workers share it.
 */
export async function withChosenPorts<C extends Listening>(config: C): Promise<C> {
  const port = config.port === undefined ? undefined : await chosenPort(config.host, config.port);
  const tls = config.tls && {
    ...config.tls,
    port: await chosenPort(config.tls.host, config.tls.port),
  };
  return {
    ...config,
    port,
    ...(tls !== undefined && { tls }),
    adminPort: await chosenPort(config.adminHost, config.adminPort),
    issuer: config.issuerIsDefault ? defaultIssuer({ port, tlsPort: tls?.port }) : config.issuer,
  };
}

async function chosenPort(host: string, port: number): Promise<number> {
  if (port !== 0) return port;
  const probe = createServer().listen({ host, port: 0, exclusive: true });
  await once(probe, 'listening');
  const chosen = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, 'close');
  return chosen;
}

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { defined } from '../domain/defined.ts';
import type { Config } from './config.ts';
import { defaultIssuer } from './issuer.ts';

/** Ports and issuer of a configuration. */
type Listening = Pick<
  Config,
  | 'host'
  | 'port'
  | 'tls'
  | 'adminHost'
  | 'adminPort'
  | 'gateway'
  | 'metrics'
  | 'issuer'
  | 'issuerIsDefault'
  | 'workers'
>;

/**
 * Replaces every port 0 by one that the system chooses now, so that the issuer can name it and all
 * workers share it. Workers share ports with any other listener, so with `WORKERS` above 1 a used
 * port is refused with the error of `listen`.
 */
export async function withChosenPorts<C extends Listening>(config: C): Promise<C> {
  const chosenPort = async (host: string, port: number) =>
    port !== 0 && config.workers === 1 ? port : probe(host, port);
  const port = config.port === undefined ? undefined : await chosenPort(config.host, config.port);
  const tls = config.tls && {
    ...config.tls,
    port: await chosenPort(config.tls.host, config.tls.port),
  };
  const { gateway } = config;
  const metrics = config.metrics && {
    ...config.metrics,
    port: await chosenPort(config.metrics.host, config.metrics.port),
  };
  return {
    ...config,
    port,
    ...defined({ tls, metrics }),
    adminPort: await chosenPort(config.adminHost, config.adminPort),
    ...(gateway !== undefined &&
      'host' in gateway.listen && {
        gateway: {
          ...gateway,
          listen: {
            ...gateway.listen,
            port: await chosenPort(gateway.listen.host, gateway.listen.port),
          },
        },
      }),
    issuer: config.issuerIsDefault ? defaultIssuer({ port, tlsPort: tls?.port }) : config.issuer,
  };
}

/** Listens briefly, and resolves with the port. */
async function probe(host: string, port: number): Promise<number> {
  const server = createServer().listen({ host, port, exclusive: true });
  await once(server, 'listening');
  const chosen = (server.address() as AddressInfo).port;
  server.close();
  await once(server, 'close');
  return chosen;
}

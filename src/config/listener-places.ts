import ipaddr from 'ipaddr.js';
import type { GatewayConfig } from './gateway-config.ts';
import type { ListenerConfig } from './listener-config.ts';

/** Where a listener is, and the variables that place it there. */
export interface ListenerPlace {
  readonly portVariable: string;
  readonly hostVariable: string;
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
}

/** The configured listeners, without the socket of the gateway listener. */
export function listenerPlaces(
  { host, port, tls, adminHost, adminPort, metrics }: ListenerConfig,
  gateway: GatewayConfig | undefined,
): readonly ListenerPlace[] {
  const listen = gateway !== undefined && 'port' in gateway.listen ? gateway.listen : undefined;
  const named = {
    '': port === undefined ? undefined : { host, port },
    TLS_: tls,
    ADMIN_: { host: adminHost, port: adminPort },
    METRICS_: metrics,
    GATEWAY_: listen,
  };
  return Object.entries(named).flatMap(([prefix, at]) =>
    at === undefined
      ? []
      : [
          {
            portVariable: `${prefix}PORT`,
            hostVariable: `${prefix}HOST`,
            host: at.host,
            port: at.port,
          },
        ],
  );
}

/** A fault for each two listeners that would be at the same port of an address. */
export function sharedPortFaults(places: readonly ListenerPlace[]): readonly string[] {
  return places.flatMap((one, index) =>
    places
      .slice(index + 1)
      .filter(({ port, host }) => port !== 0 && port === one.port && overlap(host, one.host))
      .map(
        (other) =>
          `${one.portVariable} and ${other.portVariable} must not be the same port: ${one.hostVariable} and ${other.hostVariable} have an address in common`,
      ),
  );
}

function overlap(one: string, other: string): boolean {
  const addresses = addressesOf(other);
  return addressesOf(one).some((address) =>
    addresses.some((each) => address === each || isAny(address, each) || isAny(each, address)),
  );
}

function addressesOf(host: string): readonly string[] {
  const name = host.toLowerCase();
  if (name === 'localhost') return ['127.0.0.1', '::1'];
  return [ipaddr.isValid(name) ? ipaddr.process(name).toString() : name];
}

/** Whether the first is an unspecified address, which covers the other. */
function isAny(address: string, other: string): boolean {
  return address === '::' || (address === '0.0.0.0' && !other.includes(':'));
}

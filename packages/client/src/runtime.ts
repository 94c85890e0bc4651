/** Whether this is a web page or its worker: every browser calls itself Mozilla/5.0. */
export function inBrowser(): boolean {
  return globalThis.navigator?.userAgent?.startsWith('Mozilla/5.0 ') === true;
}

/** Whether requests to this URI may use plain HTTP, because they stay on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

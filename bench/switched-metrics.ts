import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** Which modules are replaced, and in whose imports. */
const replaced = [
  ['/observability/metrics.ts', '/app/start-server.ts'],
  ['/observability/observed-steps.ts', '/app/start-server.ts'],
  ['/ports/measurements.ts', '/store/connection/measured-adapter.ts'],
  ['/ports/measurements.ts', '/store/tables/open-issuances.ts'],
  ['/ports/measurements.ts', '/store/redis/redis-replay.ts'],
] as const;

for (const [module, parent] of replaced)
  if (!readFileSync(new URL(`../src${parent}`, import.meta.url), 'utf8').includes(module))
    throw new Error(`src${parent} no longer imports ${module}: correct this list`);

// Imported before the server, it puts a switch before everything that metrics do, for the
// benchmark alone.
registerHooks({
  resolve(specifier, context, next) {
    const switched = replaced.some(
      ([module, parent]) =>
        specifier.endsWith(module) && context.parentURL?.endsWith(parent) === true,
    );
    return next(
      switched ? new URL('./metrics-switch.ts', import.meta.url).href : specifier,
      context,
    );
  },
});

import { registerHooks } from 'node:module';

// Imported before the server: its driver adapters go through a counter, and the benchmark can ask for the count.
registerHooks({
  resolve(specifier, context, next) {
    const counted =
      specifier.endsWith('/adapters.ts') &&
      context.parentURL?.endsWith('/store/database.ts') === true;
    return next(
      counted ? new URL('./counted-adapters.ts', import.meta.url).href : specifier,
      context,
    );
  },
});

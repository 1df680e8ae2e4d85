import { registerHooks } from 'node:module';

/**
 * Preload it (`node --import …/db/src/quick-imports.ts main.ts`): a process that imports drizzle-orm then starts in a
 * quarter of the time and with 230 MB less memory (0.4 s and 99 MB instead of 1.8 s and 334 MB on a busy machine).
 *
 * For each import of a `.js` file Node (24.21) asks whether its package is made of ES modules, and to answer it parses
 * the whole package.json anew, which for drizzle-orm has 179 kB: once for each of hundreds of imports within it. Here
 * the answer is known. Nothing depends on it but speed.
 */
registerHooks({
  resolve(specifier, context, next) {
    const parent = context.parentURL;
    if (parent?.includes('/node_modules/drizzle-orm/') && specifier.startsWith('.') && specifier.endsWith('.js')) {
      return { url: new URL(specifier, parent).href, format: 'module', shortCircuit: true };
    }
    return next(specifier, context);
  },
});

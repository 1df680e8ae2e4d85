/** The optional dependency; named here so that asking for it does not load what uses it. */
export const ESPEAK_PACKAGE = '@echogarden/espeak-ng-emscripten';

// Builds the page into dist/: one script, one style sheet, one document, hashed names, nothing inlined that the
// console's Content-Security-Policy would refuse. esbuild compiles JSX by itself, so no framework plug-in is needed.
import {defineConfig} from 'vite';

const console_address = process.env.SOCKEYE_CONSOLE ?? 'http://127.0.0.1:16686';

export default defineConfig({
  esbuild: {jsx: 'automatic', legalComments: 'none'},
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: {polyfill: false},
    reportCompressedSize: true,
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      output: {inlineDynamicImports: true},
      // "use client" concerns server components only.
      onwarn: (warning, warn) => void (warning.code === 'MODULE_LEVEL_DIRECTIVE' || warn(warning)),
    },
  },
  server: {
    // changeOrigin: the console refuses foreign Host headers, and the browser's Origin must match it.
    proxy: {'/api': {target: console_address, changeOrigin: true, ws: true, headers: {origin: console_address}}},
  },
});

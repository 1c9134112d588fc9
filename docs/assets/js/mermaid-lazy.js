// The theme takes a global `mermaid` if there is one, else it asks a CDN. This is a small global
// that loads the vendored file when a page draws its first diagram, and hands everything on to it.
(() => {
  const source = new URL("../vendor/mermaid.min.js", document.currentScript.src).href;
  // Mermaid colours these by its own theme; here they follow the page, light or dark.
  const MORE = `
    .cluster rect { fill: transparent !important; stroke: var(--md-mermaid-edge-color) !important; stroke-dasharray: 3 4; rx: 6; }
    line.actor-line { stroke: var(--md-mermaid-sequence-actor-line-color) !important; }
    marker path { fill: var(--md-mermaid-edge-color) !important; stroke: var(--md-mermaid-edge-color) !important; }
  `;
  let options = {};
  let loading;

  const load = () => {
    loading ??= new Promise((resolve, reject) => {
      const lazy = window.mermaid;
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => {
        const real = window.mermaid;
        window.mermaid = lazy;
        real.initialize(options);
        resolve(real);
      };
      script.onerror = () => reject(new Error(`cannot load ${source}`));
      document.head.append(script);
    });
    return loading;
  };

  window.mermaid = {
    initialize(given) { options = { ...given, themeCSS: `${given.themeCSS ?? ""}${MORE}` }; },
    async render(...diagram) { return (await load()).render(...diagram); },
  };
})();

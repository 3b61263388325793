// GraphiQL with a key: what is typed is kept for this tab only, and sent as Authorization with each request.
"use strict";

(function () {
  const KEPT = "webcare.key";
  const asked = new URLSearchParams(window.location.search);
  const place = document.getElementById("graphiql");
  const field = document.getElementById("key");
  const said = document.getElementById("said");
  const NO_KEY = "Type an API key above and press Use. `webcare key create --role analyst` makes one.";
  const FIRST = [
    "# The newest mentions, with what was found in them.",
    "# Ctrl-Enter runs it; Ctrl-Space lists what can be asked.",
    "",
    "query NewestMentions {",
    "  mentions(first: 10) {",
    "    edges {",
    "      node {",
    "        text",
    "        sentiment",
    "        issueKeys",
    "        author { handle }",
    "        channel { name }",
    "      }",
    "    }",
    "    pageInfo { hasNextPage endCursor }",
    "  }",
    "}",
    "",
  ].join("\n");

  function kept() {
    try { return window.sessionStorage.getItem(KEPT) || ""; } catch (_) { return ""; }
  }

  function keep(key) {
    try { window.sessionStorage.setItem(KEPT, key); } catch (_) { /* private mode: it is kept by the page alone */ }
  }

  function say(sentence, wrong) {
    said.textContent = sentence;
    said.className = wrong ? "wrong" : "";
  }

  async function fetcher(parameters, options) {
    const given = (options && options.headers) || {};
    const headers = { "content-type": "application/json", accept: "application/json" };
    if (field.value) headers.authorization = "Bearer " + field.value.trim();
    for (const name of Object.keys(given)) headers[name.toLowerCase()] = given[name];
    if (!headers.authorization) return { errors: [{ message: NO_KEY }] };
    const response = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify(parameters) });
    const answer = await response.json();
    if (response.ok) {
      say("", false);
    } else {
      // Who may not ask at all is answered by a problem document, before GraphQL.
      say(answer.detail || response.statusText, true);
      if (!answer.errors || !answer.errors.length || !answer.errors[0].message) {
        return { errors: [{ message: answer.detail, extensions: { code: answer.code, status: answer.status } }] };
      }
    }
    return answer;
  }

  function show() {
    // A new key is a new GraphiQL: it asks for the schema once, when it appears.
    ReactDOM.render(React.createElement(GraphiQL, {
      key: field.value,
      fetcher,
      query: asked.get("query") || undefined,
      variables: asked.get("variables") || undefined,
      defaultQuery: FIRST,
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      defaultEditorToolsVisibility: "variables",
    }), place);
  }

  document.getElementById("key-form").addEventListener("submit", function (event) {
    event.preventDefault();
    keep(field.value.trim());
    show();
  });

  field.value = kept();
  if (!field.value) say("It stays in this tab and is sent with each request.", false);
  show();
})();

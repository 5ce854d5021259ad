"""What the query engine is asked, by corpus."""

from __future__ import annotations

FLASK = (
    "How do I register a blueprint on an application?",
    "What is the application context used for?",
    "How can I handle a 404 error with a custom page?",
    "How do I send a JSON response from a view function?",
    "What does url_for do and why should I use it?",
    "How do I test a Flask application with the test client?",
    "How do I load configuration from a file?",
    "What are signals in Flask?",
    "How are uploaded files handled in a request?",
    "How does Flask store the session?",
    "How do I run the development server in debug mode?",
    "How can I use async views in Flask?",
    "How do I deploy Flask to production with Gunicorn?",
    "What is an application factory?",
    "How do I write a custom command for the Flask command line?",
    "How do I stream contents from a view?",
)
LANGCHAIN = (
    "What is a Runnable?",
    "How does RunnableParallel run its steps?",
    "What does a callback handler receive when a chat model starts?",
    "What is the purpose of an output parser?",
    "How are tool calls represented in a message?",
    "What does with_fallbacks do?",
    "How does a retriever return documents?",
    "What is a prompt template?",
    "What does with_structured_output return?",
    "How does the in-memory cache work?",
    "What is a message chunk?",
    "How are documents split into smaller texts?",
    "What does the rate limiter do?",
    "How is an event stream produced from a runnable?",
)
OWN = (
    "How do I swap ChatOpenAI for ChatRouter?",
    "Which policies are there?",
    "What does the ledger count?",
    "When does a stream fall back to another model?",
    "What happens when no model is eligible?",
    "How are budgets enforced?",
    "What does the circuit breaker do?",
    "What is in a decision record?",
    "How does a request get its tenant?",
    "What does explain return?",
    "Which errors can be raised?",
    "How are unknown capabilities treated?",
)
BY_CORPUS = {"flask": FLASK, "langchain": LANGCHAIN, "own": OWN}

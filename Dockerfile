# The two commands of README.md, `make run` and `make test`, in a container without an accelerator.
#
#   docker build -t harness .
#   docker run --rm -v "$PWD/results/runs:/harness/results/runs" harness       # make run; the run stays on the host
#   docker run --rm --security-opt seccomp=unconfined harness make test        # seccomp: the sandbox makes namespaces
FROM python:3.11-slim-bookworm

# git: a run records the commit. bubblewrap: the sandbox of HumanEval and MBPP. chromium: the tests of the page.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends git make bubblewrap chromium chromium-driver \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /harness

# The environment is a layer of its own: it is made again only when what it depends on changes.
COPY pyproject.toml constraints.txt README.md LICENSE Makefile ./
COPY tools tools
COPY harness/__init__.py harness/__init__.py
RUN mkdir methods tasks reports results && make setup && rm -rf ~/.cache

COPY . .
RUN touch .venv/.ready

CMD ["make", "run"]

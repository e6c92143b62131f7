# docker build -t gends .
# docker run --rm --gpus all --shm-size 4g -v "$PWD:/data" gends run --clean photos/ --out dataset/
#
# torch brings its own CUDA libraries; the host only needs a driver and nvidia-container-toolkit.
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY requirements.lock /tmp/
COPY --from=wheel /wheels /tmp/wheels
# As a constraint the lock gives versions only: neither test tools nor pyiqa, whose licence is
# non-commercial, get into the image.
RUN pip install --no-cache-dir --constraint /tmp/requirements.lock /tmp/wheels/*.whl \
    && rm -r /tmp/wheels \
    && useradd --create-home gends
USER gends
WORKDIR /data
ENTRYPOINT ["gends-build"]
CMD ["--help"]

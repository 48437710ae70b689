// SPDX-License-Identifier: Apache-2.0
// Finds a call's arrays, in the plain case without going through Python code.
#include "requests.hpp"

#include <algorithm>
#include <utility>

#include "arrays.hpp"
#include "statistics.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// Hashing once: dictionaries find interned names by their address.
py::object interned(const std::string& text) {
  PyObject* name = to_text(text).release().ptr();
  PyUnicode_InternInPlace(&name);
  return py::reinterpret_steal<py::object>(name);
}

void set_scheduling(Request& request, const Scheduling& scheduling, Prepared& prepared) {
  request.sched = scheduling.sched;
  request.max_wait = scheduling.max_wait;
  if (!scheduling.timeout) return;
  prepared.timeout =
      prepared.timeout ? std::min(*prepared.timeout, *scheduling.timeout) : *scheduling.timeout;
}

py::object new_dict() {
  auto made = py::reinterpret_steal<py::object>(PyDict_New());
  if (!made) throw py::error_already_set();
  return made;
}

void set_item(const py::object& dict, const py::object& key, const py::object& value) {
  if (PyDict_SetItem(dict.ptr(), key.ptr(), value.ptr()) != 0) throw py::error_already_set();
}

}  // namespace

Plan::Plan(const Runtime& runtime, const py::list& entries) {
  for (const py::handle entry : entries) {
    const auto parts = py::reinterpret_borrow<py::tuple>(entry);
    PlannedModel planned;
    planned.model = parts[0].cast<std::shared_ptr<Model>>();
    planned.scheduling = parts[1].cast<const Scheduling&>();
    planned.record = std::make_shared<const ModelRecord>(runtime.recorder(), planned.model->name());
    planned.name = interned(planned.model->name());
    for (const TensorInfo& input : planned.model->info().inputs) {
      planned.input_names.push_back(interned(input.name));
    }
    for (const TensorInfo& output : planned.model->info().outputs) {
      planned.output_names.push_back(interned(output.name));
    }
    indices_[planned.name] = models_.size();
    models_.push_back(std::move(planned));
  }
}

bool Plan::prepare(PyObject* input, Prepared& prepared) const {
  if (!PyDict_CheckExact(input)) {
    return models_.size() == 1 && models_[0].input_names.size() == 1 &&
           add(models_[0], input, prepared);
  }
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  if (PyDict_Next(input, &position, &key, &value) == 0) return false;
  if (!PyDict_CheckExact(value)) {
    return models_.size() == 1 && add(models_[0], input, prepared);
  }
  prepared.requests.reserve(static_cast<std::size_t>(PyDict_Size(input)));
  position = 0;
  while (PyDict_Next(input, &position, &key, &value) != 0) {
    if (!PyDict_CheckExact(value) || !PyUnicode_CheckExact(key)) return false;
    PyObject* const index = PyDict_GetItemWithError(indices_.ptr(), key);
    if (index == nullptr) return false;
    if (!add(models_[PyLong_AsSize_t(index)], value, prepared)) return false;
  }
  return true;
}

bool Plan::add(const PlannedModel& model, PyObject* inputs, Prepared& prepared) const {
  const std::vector<TensorInfo>& infos = model.model->info().inputs;
  Request& request = prepared.requests.emplace_back();
  request.model = model.model;
  request.record = model.record;
  request.inputs.resize(infos.size());
  if (!PyDict_CheckExact(inputs)) {
    if (!fill_view(inputs, infos[0], request.inputs[0])) return false;
    prepared.held.push_back(py::reinterpret_borrow<py::object>(inputs));
  } else {
    if (PyDict_GET_SIZE(inputs) != static_cast<Py_ssize_t>(infos.size())) return false;
    for (std::size_t index = 0; index < infos.size(); ++index) {
      PyObject* const array = PyDict_GetItemWithError(inputs, model.input_names[index].ptr());
      if (array == nullptr || !fill_view(array, infos[index], request.inputs[index])) return false;
      prepared.held.push_back(py::reinterpret_borrow<py::object>(array));
    }
  }
  set_scheduling(request, model.scheduling, prepared);
  prepared.models.push_back(&model);
  return true;
}

Prepared Plan::prepare_items(const py::list& items) const {
  Prepared prepared;
  for (const py::handle item : items) {
    const auto parts = py::reinterpret_borrow<py::tuple>(item);
    const PlannedModel& planned = models_.at(parts[0].cast<std::size_t>());
    Request& request = prepared.requests.emplace_back();
    request.model = planned.model;
    request.record = planned.record;
    const ModelInfo& info = planned.model->info();
    const auto arrays = parts[1].cast<py::list>();
    for (std::size_t index = 0; index < arrays.size(); ++index) {
      const auto array = arrays[index].cast<py::array>();
      request.inputs.push_back(view_of(array, info, info.inputs.at(index)));
      prepared.held.push_back(array);
    }
    set_scheduling(request,
                   parts[2].is_none() ? planned.scheduling : parts[2].cast<const Scheduling&>(),
                   prepared);
    prepared.models.push_back(&planned);
  }
  return prepared;
}

py::dict to_dict(const Prepared& prepared, const std::vector<RunResult>& results) {
  py::object by_model = new_dict();
  for (std::size_t index = 0; index < results.size(); ++index) {
    const PlannedModel& model = *prepared.models[index];
    py::object arrays = new_dict();
    for (std::size_t output = 0; output < results[index].outputs.size(); ++output) {
      set_item(arrays, model.output_names[output], to_array(results[index].outputs[output]));
    }
    set_item(by_model, model.name, arrays);
  }
  return py::reinterpret_steal<py::dict>(by_model.release());
}

py::dict to_times(const Prepared& prepared, const std::vector<RunResult>& results) {
  py::dict by_model;
  for (std::size_t index = 0; index < results.size(); ++index) {
    by_model[prepared.models[index]->name] = to_python(results[index].times);
  }
  return by_model;
}

}  // namespace hbm::bindings
